locals {
  roles = merge({ for name in var.sentries : name => "sentry" }, { for name in compact([var.validator]) : name => "validator" })
}

resource "digitalocean_volume" "data" {
  for_each = local.roles
  name     = "${each.key}-data"
  region   = var.region
  size     = var.volume_gb

  lifecycle {
    prevent_destroy = true
  }
}

resource "digitalocean_droplet" "node" {
  for_each   = local.roles
  name       = each.key
  image      = var.image
  region     = var.region
  size       = var.size
  ssh_keys   = var.ssh_keys
  volume_ids = [digitalocean_volume.data[each.key].id]

  # User-data acts once, at the first boot; a later change must not replace a machine that has keys.
  user_data = templatefile("${path.module}/../user-data.yaml.tftpl", {
    role       = each.value
    name       = each.key
    join       = var.invites[each.key]
    rendezvous = jsonencode(var.rendezvous)
    data       = "/dev/disk/by-id/scsi-0DO_Volume_${each.key}-data"
  })

  lifecycle {
    ignore_changes = [image, user_data]

    precondition {
      condition     = startswith(lookup(var.invites, each.key, ""), "gn1_")
      error_message = "${each.key} has no invite: ./invoke cluster invite"
    }
  }
}

resource "digitalocean_firewall" "node" {
  for_each    = local.roles
  name        = "goldnode-${each.key}"
  droplet_ids = [digitalocean_droplet.node[each.key].id]

  # Peers of the network, and the WireGuard mesh of the cluster; a validator lets nothing in.
  dynamic "inbound_rule" {
    for_each = each.value == "sentry" ? { tcp = "26656", udp = "51820" } : {}

    content {
      protocol         = inbound_rule.key
      port_range       = inbound_rule.value
      source_addresses = ["0.0.0.0/0", "::/0"]
    }
  }

  dynamic "outbound_rule" {
    for_each = ["tcp", "udp"]

    content {
      protocol              = outbound_rule.value
      port_range            = "1-65535"
      destination_addresses = ["0.0.0.0/0", "::/0"]
    }
  }
}
