variable "image" {
  description = "Id of the custom image made from a release's qcow2 or raw disk."
  type        = string
}

variable "sentries" {
  description = "Names of the sentries, as [\"sentry-1\", \"sentry-2\"]: one machine each, open to the world on the peer and mesh ports."
  type        = list(string)
}

variable "validator" {
  description = "Name of the validator; empty for sentries only. Nothing can reach it from outside: it dials the sentries."
  type        = string
  default     = ""
}

variable "invites" {
  description = "One invite per machine, by its name, from `./invoke cluster invite`. Each works once; Terraform keeps them in its state, so keep that private."
  type        = map(string)
  sensitive   = true
}

variable "rendezvous" {
  description = "Addresses of the rendezvous, as [\"http://203.0.113.10:8700\"]."
  type        = list(string)
}

variable "volume_gb" {
  description = "Size of the volume that holds each node's keys and chain."
  type        = number
  default     = 200
}

variable "region" {
  description = "DigitalOcean region, as fra1."
  type        = string
  default     = "fra1"
}

variable "size" {
  description = "Size of each machine."
  type        = string
  default     = "s-4vcpu-8gb"
}

variable "ssh_keys" {
  description = "Ids of SSH keys. DigitalOcean asks for one with every custom image; the nodes keep SSH closed unless node.yaml opens it."
  type        = list(string)
}
