# Amazon EC2: an AMI from Debian's own.  Credentials come the ordinary way (environment, profile, instance role)
# unless they are set here.
variable "aws_region" {
  type    = string
  default = "eu-central-1"
}
variable "aws_instance_type" {
  type    = string
  default = "t3.small"
}
variable "aws_subnet_id" {
  type    = string
  default = ""
}
variable "aws_access_key" {
  type    = string
  default = ""
}
variable "aws_secret_key" {
  type      = string
  default   = ""
  sensitive = true
}

source "amazon-ebs" "node" {
  region     = var.aws_region
  access_key = var.aws_access_key
  secret_key = var.aws_secret_key

  source_ami_filter {
    owners      = ["136693071363"] # Debian's account: wiki.debian.org/Cloud/AmazonEC2Image
    most_recent = true
    filters = {
      name                = "debian-13-${var.arch}-*"
      root-device-type    = "ebs"
      virtualization-type = "hvm"
    }
  }
  instance_type               = var.aws_instance_type
  subnet_id                   = var.aws_subnet_id
  associate_public_ip_address = true
  launch_block_device_mappings {
    device_name           = "/dev/xvda"
    volume_type           = "gp3"
    volume_size           = 8
    iops                  = 3000
    throughput            = 125 # Debian's 1.6.6 wants both said
    delete_on_termination = true
  }

  ssh_username = "admin"
  ssh_timeout  = "10m"

  ami_name        = var.image_name
  ami_description = "goldnode ${var.network} ${var.version}"
  ena_support     = true
  tags = {
    Name      = var.image_name
    network   = var.network
    version   = var.version
    source    = "{{ .SourceAMIName }}"
    source_id = "{{ .SourceAMI }}"
  }
}
