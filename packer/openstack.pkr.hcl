# OpenStack: a Glance image from a Debian 13 that the cloud already has.  What is empty comes from OS_* variables.
variable "openstack_identity_endpoint" {
  type    = string
  default = env("OS_AUTH_URL")
}
variable "openstack_username" {
  type    = string
  default = env("OS_USERNAME")
}
variable "openstack_password" {
  type      = string
  default   = env("OS_PASSWORD")
  sensitive = true
}
variable "openstack_tenant_name" {
  type    = string
  default = env("OS_PROJECT_NAME")
}
variable "openstack_domain_name" {
  type    = string
  default = env("OS_USER_DOMAIN_NAME")
}
variable "openstack_region" {
  type    = string
  default = env("OS_REGION_NAME")
}
variable "openstack_source_image" {
  type    = string
  default = "debian-13"
}
variable "openstack_flavor" {
  type    = string
  default = "m1.small"
}
variable "openstack_networks" {
  type    = list(string)
  default = []
}
variable "openstack_floating_ip_network" {
  type    = string
  default = ""
}

source "openstack" "node" {
  identity_endpoint = var.openstack_identity_endpoint
  username          = var.openstack_username
  password          = var.openstack_password
  tenant_name       = var.openstack_tenant_name
  domain_name       = var.openstack_domain_name
  region            = var.openstack_region

  source_image_name   = var.openstack_source_image
  flavor              = var.openstack_flavor
  networks            = var.openstack_networks
  floating_ip_network = var.openstack_floating_ip_network
  config_drive        = true

  ssh_username = "debian"
  ssh_timeout  = "10m"

  image_name       = var.image_name
  image_visibility = "private"
  metadata = {
    network = var.network
    version = var.version
  }
}
