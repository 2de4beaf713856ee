variable "image" {
  description = "AMI of a goldnode release, from the SSM parameter /goldnode/NETWORK/ARCH/VERSION."
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

variable "subnets" {
  description = "Subnets to launch in, one per zone, as [\"subnet-1\", \"subnet-2\"]: machines take them in turn, in the order of `sentries`. They must give public addresses to sentries."
  type        = list(string)

  validation {
    condition     = length(var.subnets) > 0
    error_message = "At least one is needed."
  }
}

variable "vpc_id" {
  description = "The subnet's VPC."
  type        = string
}

variable "ipv6" {
  description = "Give every machine an IPv6 address too; the subnets must have such a range."
  type        = bool
  default     = false
}

variable "instance_type" {
  description = "Size of each machine."
  type        = string
  default     = "m7i.large"
}
