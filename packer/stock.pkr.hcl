# The ordinary way on this machine: a plain Debian 13 disk boots through its firmware, cloud-init lets Packer in,
# packages come by apt.  It proves the path of the cloud sources, and is what `bench bake` compares with.

# Files of a NoCloud seed: user-data with the bake's key, meta-data.
variable "seed" {
  type    = list(string)
  default = []
}

source "qemu" "stock" {
  iso_url          = var.disk
  iso_checksum     = "none" # ours, made on this machine and named by the digest of its inputs
  disk_image       = true
  disk_size        = var.disk_size
  format           = "qcow2"
  disk_compression = true # zlib, as Packer does it
  output_directory = var.output
  vm_name          = "disk.qcow2"

  accelerator        = var.accelerator
  cpus               = 2
  memory             = 1024
  headless           = true
  boot_wait          = "-1s"
  net_device         = "virtio-net"
  disk_cache         = "unsafe"
  disk_discard       = "unmap"
  disk_detect_zeroes = "unmap"
  cd_files           = var.seed
  cd_label           = "cidata"

  communicator         = "ssh"
  ssh_username         = "root"
  ssh_private_key_file = var.ssh_private_key_file
  ssh_timeout          = "10m"
  shutdown_command     = "rm -rf /tmp/*; systemctl poweroff --force" # everything has been stopped and written already
  shutdown_timeout     = "5m"

  qemuargs = [
    ["-machine", "type=q35,accel=${var.accelerator}"],
    ["-cpu", var.cpu],
    ["-bios", "/usr/share/ovmf/OVMF.fd"],
    ["-serial", "file:${var.console}"],
  ]
}
