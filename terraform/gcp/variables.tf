variable "image" {
  description = "Image made from a release's gcp.tar.gz, as projects/PROJECT/global/images/NAME."
  type        = string
}

variable "sentries" {
  description = "Names of the sentries, as [\"sentry-1\", \"sentry-2\"]: one machine each, open to the world on the peer and mesh ports. Add names at the end: a machine's place follows from its position."
  type        = list(string)
  default     = []
}

variable "validator" {
  description = "Name of the validator; empty for sentries only. Nothing can reach it from outside: it dials the sentries."
  type        = string
  default     = ""
}

variable "rendezvous_machine" {
  description = "Name of a machine that is the rendezvous; empty when there is one elsewhere. It needs no invite: launch it first, alone, and make the cluster with its address (output `rendezvous`)."
  type        = string
  default     = ""
}

variable "invites" {
  description = "One invite per machine that is yet to be launched, by its name, from `./invoke cluster invite`. Each works once; Terraform keeps them in its state, so keep that private."
  type        = map(string)
  default     = {}
  sensitive   = true
}

variable "rendezvous" {
  description = "Addresses of the rendezvous, as [\"http://203.0.113.10:8700\"]; `./invoke cluster invite` writes them beside the invites."
  type        = list(string)
  default     = []
}

variable "network" {
  description = "Name of the network, as osmosis: it decides how large the data volumes are."
  type        = string
}

variable "volume_gb" {
  description = "Size of the volume that holds each node's keys and chain; null for the network's of terraform/volume_gb.json."
  type        = number
  default     = null
}

variable "metrics_from" {
  description = "Networks that may read every node's metrics on port 9600, as [\"198.51.100.7/32\"]."
  type        = list(string)
  default     = []
}

variable "zones" {
  description = "Zones to launch in, as [\"europe-west3-a\", \"europe-west3-b\"]: machines take them in turn, in the order of `sentries`. All of one region."
  type        = list(string)

  validation {
    condition     = length(var.zones) > 0
    error_message = "At least one is needed."
  }
}

variable "vpc_network" {
  description = "VPC network to launch in."
  type        = string
  default     = "default"
}

variable "machine_type" {
  description = "Size of each machine."
  type        = string
  default     = "e2-standard-2"
}
