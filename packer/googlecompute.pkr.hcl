# Google Compute Engine: an image from Google's Debian 13.  Without an account file, Application Default Credentials.
variable "google_project" {
  type    = string
  default = ""
}
variable "google_zone" {
  type    = string
  default = "europe-west3-a"
}
variable "google_account_file" {
  type    = string
  default = ""
}
variable "google_machine_type" {
  type    = string
  default = "e2-small"
}

source "googlecompute" "node" {
  project_id   = var.google_project
  account_file = var.google_account_file
  zone         = var.google_zone

  source_image_family     = var.arch == "amd64" ? "debian-13" : "debian-13-${var.arch}"
  source_image_project_id = ["debian-cloud"]
  machine_type            = var.google_machine_type
  disk_size               = 10
  disk_type               = "pd-ssd"

  ssh_username = "packer"
  ssh_timeout  = "10m"

  image_name        = var.image_name
  image_family      = "goldnode-${var.network}"
  image_description = "goldnode ${var.network} ${var.version}"
}
