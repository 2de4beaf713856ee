# What every source shares.  goldnode writes the values into a file for each bake (goldnode/bake/golden.py).
variable "network" { type = string }
variable "version" { type = string }

# Debian's name of the architecture.
variable "arch" {
  type    = string
  default = "amd64"
}

# What a cloud is to call the image: made of the digest of its inputs, so that the same image is not made twice.
variable "image_name" {
  type    = string
  default = "goldnode"
}

# The payload: one tar with every file at its final path.  On a drive for QEMU, uploaded to a cloud machine.
variable "payload" { type = string }

# Private key of this one bake; its public half never touches the disk of an image.
variable "ssh_private_key_file" {
  type    = string
  default = ""
}
