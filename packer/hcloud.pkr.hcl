# Hetzner Cloud: a snapshot of a server from its Debian 13.
variable "hcloud_token" {
  type      = string
  default   = env("HCLOUD_TOKEN")
  sensitive = true
}
variable "hcloud_location" {
  type    = string
  default = "fsn1"
}
variable "hcloud_server_type" {
  type    = string
  default = "cx22"
}

source "hcloud" "node" {
  token       = var.hcloud_token
  location    = var.hcloud_location
  server_type = var.hcloud_server_type
  image       = "debian-13"

  ssh_username = "root"
  ssh_timeout  = "10m"

  snapshot_name = var.image_name
  snapshot_labels = {
    network = var.network
    version = var.version
  }
}
