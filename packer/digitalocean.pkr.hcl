# DigitalOcean: a snapshot of a droplet from its Debian 13.
variable "digitalocean_token" {
  type      = string
  default   = env("DIGITALOCEAN_TOKEN")
  sensitive = true
}
variable "digitalocean_region" {
  type    = string
  default = "fra1"
}
variable "digitalocean_size" {
  type    = string
  default = "s-1vcpu-1gb"
}

source "digitalocean" "node" {
  api_token = var.digitalocean_token
  region    = var.digitalocean_region
  size      = var.digitalocean_size
  image     = "debian-13-x64"

  ssh_username = "root"
  ssh_timeout  = "10m"

  snapshot_name = var.image_name
  tags          = ["goldnode", var.network]
}
