# For current Packer only (`packer init packer/plugins`): Debian's Packer 1.6.6 has these builders compiled in and
# takes this block for an error, so it stands alone.  The templates beside this folder then find what is installed.
packer {
  required_plugins {
    qemu = {
      source  = "github.com/hashicorp/qemu"
      version = "= 1.0.9"
    }
    amazon = {
      source  = "github.com/hashicorp/amazon"
      version = "= 1.2.0"
    }
    googlecompute = {
      source  = "github.com/hashicorp/googlecompute"
      version = "= 1.1.0"
    }
    digitalocean = {
      source  = "github.com/digitalocean/digitalocean"
      version = "= 1.1.0"
    }
    hcloud = {
      source  = "github.com/hetznercloud/hcloud"
      version = "= 1.2.0"
    }
    azure = {
      source  = "github.com/hashicorp/azure"
      version = "= 2.0.0"
    }
    openstack = {
      source  = "github.com/hashicorp/openstack"
      version = "= 1.1.0"
    }
  }
}
