locals {
  nodes     = merge({ for name in var.sentries : name => "sentry" }, { for name in compact([var.validator]) : name => "validator" })
  machines  = merge(local.nodes, { for name in compact([var.rendezvous_machine]) : name => "rendezvous" })
  reachable = { for name, role in local.machines : name => role if role != "validator" }
  volume_gb = coalesce(var.volume_gb, lookup(jsondecode(file("${path.module}/../volume_gb.json")), var.network, 200))

  # A machine's place follows from its position; where it is launched already, a change here does not move it.
  order    = concat(var.sentries, compact([var.validator]), compact([var.rendezvous_machine]))
  location = { for index, name in local.order : name => var.locations[index % length(var.locations)] }

  # Who may come in from where, by role.
  open = {
    sentry     = { peers = ["tcp", 26656], mesh = ["udp", 51820] }
    validator  = {}
    rendezvous = { rendezvous = ["tcp", 8700] }
  }
}

# A firewall without an inbound rule lets nothing in but answers.
resource "hcloud_firewall" "machine" {
  for_each = local.open
  name     = "goldnode-${each.key}"

  dynamic "rule" {
    for_each = each.value

    content {
      description = rule.key
      direction   = "in"
      protocol    = rule.value[0]
      port        = rule.value[1]
      source_ips  = ["0.0.0.0/0", "::/0"]
    }
  }

  dynamic "rule" {
    for_each = each.key != "rendezvous" && length(var.metrics_from) > 0 ? [var.metrics_from] : []

    content {
      description = "metrics"
      direction   = "in"
      protocol    = "tcp"
      port        = "9600"
      source_ips  = rule.value
    }
  }

  dynamic "rule" {
    for_each = ["tcp", "udp"]

    content {
      description     = "Nodes dial peers, the rendezvous and time servers"
      direction       = "out"
      protocol        = rule.value
      port            = "any"
      destination_ips = ["0.0.0.0/0", "::/0"]
    }
  }
}

resource "hcloud_volume" "data" {
  for_each          = local.nodes
  name              = "${each.key}-data"
  location          = local.location[each.key]
  size              = local.volume_gb
  delete_protection = true

  lifecycle {
    ignore_changes  = [location]
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
  data         = each.value == "rendezvous" ? "" : hcloud_volume.data[each.key].linux_device
}

resource "hcloud_server" "node" {
  for_each     = local.machines
  name         = each.key
  image        = var.image
  server_type  = var.server_type
  location     = local.location[each.key]
  firewall_ids = [hcloud_firewall.machine[each.value].id]

  # User-data acts once, at the first boot; a later change must not replace a machine that has keys.
  user_data = module.machine[each.key].user_data

  lifecycle {
    ignore_changes = [image, user_data, location]
  }
}

resource "hcloud_volume_attachment" "data" {
  for_each  = local.nodes
  server_id = hcloud_server.node[each.key].id
  volume_id = hcloud_volume.data[each.key].id
}
