# The golden image: the base's kernel is started directly, so neither firmware nor boot loader costs time, and
# systemd credentials bring up just a network and an SSH server whose keys live in memory (goldnode/bake/vm/access.py).

variable "disk" {
  type    = string
  default = ""
}
variable "disk_size" {
  type    = string
  default = "1280M"
}
variable "kernel" {
  type    = string
  default = ""
}
variable "initrd" {
  type    = string
  default = ""
}
variable "credentials" {
  type    = list(string)
  default = []
}
variable "incoming" {
  type    = list(string)
  default = []
}
variable "monitor" {
  type    = string
  default = ""
}
variable "output" {
  type    = string
  default = ""
}
variable "console" {
  type    = string
  default = "/dev/null"
}
variable "accelerator" {
  type    = string
  default = "tcg"
}
variable "cpu" {
  type    = string
  default = "max"
}
variable "ssh_port" {
  type    = number
  default = 22
}
variable "guest_port" {
  type    = number
  default = 2222
}

locals {
  # Of this one boot, where nobody but the bake is: no program for file systems per unit, which takes seconds to load
  # under emulation, no SSH over virtual sockets, and no guard of one program against another's speculation.  A kernel
  # that panics boots again: under emulation one of some 25 does, early on (QEMU 7.2), and Packer would wait in vain.
  lean = "lsm=landlock,yama systemd.ssh_auto=no mitigations=off panic=1"
}

source "qemu" "golden" {
  iso_url          = var.disk
  iso_checksum     = "none" # ours, made on this machine and named by the digest of its inputs
  disk_image       = true
  use_backing_file = true
  disk_size        = var.disk_size
  skip_resize_disk = true
  format           = "qcow2"
  skip_compaction  = true # goldnode compresses once, at the end
  output_directory = var.output
  vm_name          = "disk.qcow2"

  accelerator = var.accelerator
  cpus        = 2
  memory      = 1024
  headless    = true
  disable_vnc = true # on a busy machine Packer would look for it before QEMU opens it, and give up
  boot_wait   = "-1s"

  communicator           = "ssh"
  ssh_host               = "127.0.0.1"
  ssh_port               = var.ssh_port
  skip_nat_mapping       = true
  ssh_username           = "root"
  ssh_private_key_file   = var.ssh_private_key_file
  ssh_timeout            = "10m"
  ssh_handshake_attempts = 20
  shutdown_command       = "rm -rf /tmp/*; systemctl poweroff --force" # everything has been stopped and written already
  shutdown_timeout       = "2m"

  qemu_img_args {
    create = ["-F", "qcow2"] # Packer 1.6.6 forgets it, QEMU 6.1 insists
  }
  # A switch that is named here replaces Packer's own use of it.
  qemuargs = concat([
    ["-machine", "type=q35,accel=${var.accelerator}"],
    ["-cpu", var.cpu],
    ["-display", "none"],
    ["-kernel", var.kernel],
    ["-initrd", var.initrd],
    ["-append", "root=LABEL=root ro net.ifnames=0 console=ttyS0,115200 quiet systemd.unit=goldnode-bake.target ${local.lean}"],
    ["-drive", "file=${var.output}/disk.qcow2,if=virtio,cache=unsafe,discard=unmap,detect-zeroes=unmap,werror=report,format=qcow2"],
    ["-drive", "file=${var.payload},if=virtio,format=raw,readonly=on"],
    ["-netdev", "user,id=user.0,restrict=on,hostfwd=tcp:127.0.0.1:${var.guest_port}-:22"],
    ["-serial", "file:${var.console}"],
    ["-qmp", "unix:${var.monitor},server=on,wait=off"],
    ["-device", "vmgenid,guid=auto"], # a machine that goes on from a kept state makes new randomness
  ], [for file in var.credentials : ["-smbios", "type=11,path=${file}"]], [for state in var.incoming : ["-incoming", state]])
}
