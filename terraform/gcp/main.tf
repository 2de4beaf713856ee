locals {
  nodes     = merge({ for name in var.sentries : name => "sentry" }, { for name in compact([var.validator]) : name => "validator" })
  machines  = merge(local.nodes, { for name in compact([var.rendezvous_machine]) : name => "rendezvous" })
  reachable = { for name, role in local.machines : name => role if role != "validator" }
  volume_gb = coalesce(var.volume_gb, lookup(jsondecode(file("${path.module}/../volume_gb.json")), var.network, 200))

  # A machine's place follows from its position; where it is launched already, a change here does not move it.
  order = concat(var.sentries, compact([var.validator]), compact([var.rendezvous_machine]))
  zone  = { for index, name in local.order : name => var.zones[index % length(var.zones)] }

  # Who may come in from where, by role.
  open = {
    sentry     = { peers = ["tcp", 26656], mesh = ["udp", 51820] }
    validator  = {}
    rendezvous = { rendezvous = ["tcp", 8700] }
  }
}

resource "google_compute_firewall" "open" {
  for_each      = { for role, ports in local.open : role => ports if length(ports) > 0 }
  name          = "goldnode-${each.key}"
  network       = var.vpc_network
  direction     = "INGRESS"
  source_ranges = ["0.0.0.0/0"]
  target_tags   = ["goldnode-${each.key}"]

  dynamic "allow" {
    for_each = each.value

    content {
      protocol = allow.value[0]
      ports    = [allow.value[1]]
    }
  }
}

resource "google_compute_firewall" "metrics" {
  count         = length(var.metrics_from) > 0 ? 1 : 0
  name          = "goldnode-metrics"
  network       = var.vpc_network
  direction     = "INGRESS"
  source_ranges = var.metrics_from
  target_tags   = ["goldnode-sentry", "goldnode-validator"]

  allow {
    protocol = "tcp"
    ports    = ["9600"]
  }
}

# The default network of a project lets SSH and ping in: not to these machines.
resource "google_compute_firewall" "closed" {
  name          = "goldnode-closed"
  network       = var.vpc_network
  direction     = "INGRESS"
  priority      = 2000
  source_ranges = ["0.0.0.0/0"]
  target_tags   = ["goldnode-sentry", "goldnode-validator", "goldnode-rendezvous"]

  deny {
    protocol = "all"
  }
}

resource "google_compute_disk" "data" {
  for_each = local.nodes
  name     = "${each.key}-data"
  zone     = local.zone[each.key]
  type     = "pd-balanced"
  size     = local.volume_gb

  lifecycle {
    ignore_changes  = [zone]
    prevent_destroy = true
  }
}

# Static: it stays when the machine is stopped, and goes to the one that replaces it.  The machine itself knows its
# private address only, so a sentry is told.
resource "google_compute_address" "public" {
  for_each = local.reachable
  name     = "${each.key}-public"
  region   = regex("^(.*)-[a-z]$", local.zone[each.key])[0]

  lifecycle {
    ignore_changes = [region]
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
  addresses    = each.value == "sentry" ? [google_compute_address.public[each.key].address] : []
  data         = each.value == "rendezvous" ? "" : "/dev/disk/by-id/google-data"
}

resource "google_compute_instance" "node" {
  for_each     = local.machines
  name         = each.key
  zone         = local.zone[each.key]
  machine_type = var.machine_type
  tags         = ["goldnode-${each.value}"]

  boot_disk {
    initialize_params {
      image = var.image
    }
  }

  dynamic "attached_disk" {
    for_each = each.value == "rendezvous" ? [] : [google_compute_disk.data[each.key].id]

    content {
      source      = attached_disk.value
      device_name = "data"
    }
  }

  network_interface {
    network = var.vpc_network

    # Without this block a machine has no address outside: it could not dial out without a NAT.
    access_config {
      nat_ip       = each.value == "validator" ? null : google_compute_address.public[each.key].address
      network_tier = "PREMIUM"
    }
  }

  # User-data acts once, at the first boot; a later change must not replace a machine that has keys.
  metadata = {
    user-data = module.machine[each.key].user_data
  }

  lifecycle {
    ignore_changes = [boot_disk, metadata, zone]
  }
}
