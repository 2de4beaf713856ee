variable "image" {
  description = "Path of a sealed image of the network, as ../../out/localnet-0.38.19-amd64.qcow2; empty to have it baked."
  type        = string
  default     = ""
}

variable "sentries" {
  description = "How many sentries stand before the hidden validator; their names are sentry-1, sentry-2, …"
  type        = number
  default     = 2
}

variable "network" {
  description = "A private network: localnet or localwasm."
  type        = string
  default     = "localnet"
}

variable "folder" {
  description = "Where the machines live; by default in Terraform's own folder here."
  type        = string
  default     = ""
}
