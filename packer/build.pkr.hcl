# One build for every source: the payload comes in, provision.sh installs, clean.sh seals.

# The one source of this run, as "qemu.golden" or "hcloud.node".  A variable, because current Packer asks for the plugin
# of every source that a build names, wanted or not.
variable "source" {
  type    = string
  default = "qemu.golden"
}

locals {
  # Only the golden bake has the payload on a drive.
  payload = var.source == "qemu.golden" ? "/dev/vdb" : "/var/tmp/goldnode-payload.tar" # /tmp lies in memory
  # Where Packer comes in as somebody else than root.
  others = ["amazon-ebs.node", "azure-arm.node", "googlecompute.node", "openstack.node"]
  sudo   = contains(local.others, var.source) ? "sudo -n env" : ""
}

build {
  dynamic "source" {
    for_each = [var.source]
    labels   = ["source.${source.value}"]
    content {
    }
  }

  # An ordinary machine answers by SSH before cloud-init has finished with it.
  dynamic "provisioner" {
    for_each = [for name in [var.source] : name if name != "qemu.golden"]
    labels   = ["shell"]
    content {
      inline = ["cloud-init status --wait >/dev/null 2>&1 || true"]
    }
  }
  dynamic "provisioner" {
    for_each = [for name in [var.source] : name if name != "qemu.golden"]
    labels   = ["file"]
    content {
      source      = var.payload
      destination = "/var/tmp/goldnode-payload.tar"
    }
  }

  provisioner "shell" {
    script           = "${path.root}/scripts/provision.sh"
    execute_command  = "chmod +x {{ .Path }}; ${local.sudo} {{ .Vars }} {{ .Path }}"
    environment_vars = ["PAYLOAD=${local.payload}"]
  }
  # With it goes the account by which Packer came in: the connection stays until it ends, nothing new can be begun.
  provisioner "shell" {
    script          = "${path.root}/scripts/clean.sh"
    execute_command = "chmod +x {{ .Path }}; ${local.sudo} {{ .Vars }} {{ .Path }} && rm -f {{ .Path }}"
    skip_clean      = true
  }
}
