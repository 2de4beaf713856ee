variable "role" {
  description = "sentry, validator or rendezvous."
  type        = string
}

variable "name" {
  description = "The machine's name, and its node's."
  type        = string
}

variable "invite" {
  description = "Its invite; null for a machine that has used it."
  type        = string
  default     = null
  sensitive   = true
}

variable "rendezvous" {
  description = "Addresses of the rendezvous."
  type        = list(string)
  default     = []
}

variable "addresses" {
  description = "Public addresses that others dial, where the machine does not know them."
  type        = list(string)
  default     = []
}

variable "metrics_from" {
  description = "Networks that may read port 9600."
  type        = list(string)
  default     = []
}

variable "data" {
  description = "The data volume's stable name below /dev/disk/by-id; empty for none."
  type        = string
  default     = ""
}
