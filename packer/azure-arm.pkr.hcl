# Azure: a managed image from Debian's own in the marketplace, by a service principal.
variable "azure_subscription_id" {
  type    = string
  default = env("ARM_SUBSCRIPTION_ID")
}
variable "azure_tenant_id" {
  type    = string
  default = env("ARM_TENANT_ID")
}
variable "azure_client_id" {
  type    = string
  default = env("ARM_CLIENT_ID")
}
variable "azure_client_secret" {
  type      = string
  default   = env("ARM_CLIENT_SECRET")
  sensitive = true
}
variable "azure_resource_group" {
  type    = string
  default = "goldnode"
}
variable "azure_location" {
  type    = string
  default = "westeurope"
}
variable "azure_vm_size" {
  type    = string
  default = "Standard_B1s"
}

source "azure-arm" "node" {
  subscription_id = var.azure_subscription_id
  tenant_id       = var.azure_tenant_id
  client_id       = var.azure_client_id
  client_secret   = var.azure_client_secret
  location        = var.azure_location
  vm_size         = var.azure_vm_size

  os_type         = "Linux"
  image_publisher = "Debian"
  image_offer     = "debian-13"
  image_sku       = var.arch == "amd64" ? "13-gen2" : "13-${var.arch}"

  communicator = "ssh"
  ssh_username = "packer"
  ssh_timeout  = "10m"

  managed_image_name                = var.image_name
  managed_image_resource_group_name = var.azure_resource_group
  azure_tags = {
    network = var.network
    version = var.version
  }
}
