locals {
  nodes     = merge({ for name in var.sentries : name => "sentry" }, { for name in compact([var.validator]) : name => "validator" })
  machines  = merge(local.nodes, { for name in compact([var.rendezvous_machine]) : name => "rendezvous" })
  reachable = { for name, role in local.machines : name => role if role != "validator" }
  volume_gb = coalesce(var.volume_gb, lookup(jsondecode(file("${path.module}/../volume_gb.json")), var.network, 200))

  # A machine's place follows from its position; where it is launched already, a change here does not move it.
  order  = concat(var.sentries, compact([var.validator]), compact([var.rendezvous_machine]))
  region = { for index, name in local.order : name => var.regions[index % length(var.regions)] }

  # Who may come in from where, by role.
  open = {
    sentry     = { peers = ["tcp", 26656], mesh = ["udp", 51820] }
    validator  = {}
    rendezvous = { rendezvous = ["tcp", 8700] }
  }
}

resource "digitalocean_volume" "data" {
  for_each = local.nodes
  name     = "${each.key}-data"
  region   = local.region[each.key]
  size     = local.volume_gb

  lifecycle {
    ignore_changes  = [region]
    prevent_destroy = true
  }
}

module "machine" {
  source   = "../machine"
  for_each = local.machines

  role         = each.value
  name         = each.key
  invite       = lookup(var.invites, each.key, null)
  rendezvous   = var.rendezvous
  metrics_from = var.metrics_from
  data         = each.value == "rendezvous" ? "" : "/dev/disk/by-id/scsi-0DO_Volume_${each.key}-data"
}

resource "digitalocean_droplet" "node" {
  for_each   = local.machines
  name       = each.key
  image      = var.image
  region     = local.region[each.key]
  size       = var.size
  ipv6       = true
  ssh_keys   = var.ssh_keys
  volume_ids = each.value == "rendezvous" ? [] : [digitalocean_volume.data[each.key].id]

  # User-data acts once, at the first boot; a later change must not replace a machine that has keys.
  user_data = module.machine[each.key].user_data

  lifecycle {
    ignore_changes = [image, user_data, region]
  }
}

resource "digitalocean_firewall" "node" {
  for_each    = local.machines
  name        = "goldnode-${each.key}"
  droplet_ids = [digitalocean_droplet.node[each.key].id]

  dynamic "inbound_rule" {
    for_each = local.open[each.value]

    content {
      protocol         = inbound_rule.value[0]
      port_range       = inbound_rule.value[1]
      source_addresses = ["0.0.0.0/0", "::/0"]
    }
  }

  dynamic "inbound_rule" {
    for_each = each.value != "rendezvous" && length(var.metrics_from) > 0 ? [var.metrics_from] : []

    content {
      protocol         = "tcp"
      port_range       = "9600"
      source_addresses = inbound_rule.value
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
