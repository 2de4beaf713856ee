variable "image" {
  description = "AMI of a goldnode release, from the SSM parameter /goldnode/NETWORK/ARCH/VERSION."
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

variable "subnet_id" {
  description = "Subnet to launch in; it must give public addresses to sentries."
  type        = string
}

variable "vpc_id" {
  description = "The subnet's VPC."
  type        = string
}

variable "availability_zone" {
  description = "The subnet's zone: a volume and its machine are in the same one."
  type        = string
}

variable "instance_type" {
  description = "Size of each machine."
  type        = string
  default     = "m7i.large"
}
