locals {
  roles = merge({ for name in var.sentries : name => "sentry" }, { for name in compact([var.validator]) : name => "validator" })
}

resource "google_compute_firewall" "sentry" {
  name          = "goldnode-sentry"
  network       = var.network
  direction     = "INGRESS"
  source_ranges = ["0.0.0.0/0"]
  target_tags   = ["goldnode-sentry"]

  # Peers of the network.
  allow {
    protocol = "tcp"
    ports    = ["26656"]
  }

  # WireGuard mesh of the cluster.
  allow {
    protocol = "udp"
    ports    = ["51820"]
  }
}

# The default network of a project lets SSH and ping in: not to these machines.
resource "google_compute_firewall" "closed" {
  name          = "goldnode-closed"
  network       = var.network
  direction     = "INGRESS"
  priority      = 2000
  source_ranges = ["0.0.0.0/0"]
  target_tags   = ["goldnode-sentry", "goldnode-validator"]

  deny {
    protocol = "all"
  }
}

resource "google_compute_disk" "data" {
  for_each = local.roles
  name     = "${each.key}-data"
  zone     = var.zone
  type     = "pd-balanced"
  size     = var.volume_gb

  lifecycle {
    prevent_destroy = true
  }
}

resource "google_compute_instance" "node" {
  for_each     = local.roles
  name         = each.key
  zone         = var.zone
  machine_type = var.machine_type
  tags         = ["goldnode-${each.value}"]

  boot_disk {
    initialize_params {
      image = var.image
    }
  }

  attached_disk {
    source      = google_compute_disk.data[each.key].id
    device_name = "data"
  }

  network_interface {
    network = var.network

    # Without this block a machine has no address outside: it could not dial out without a NAT.
    access_config {
      network_tier = "PREMIUM"
    }
  }

  # User-data acts once, at the first boot; a later change must not replace a machine that has keys.
  metadata = {
    user-data = templatefile("${path.module}/../user-data.yaml.tftpl", {
      role       = each.value
      name       = each.key
      join       = var.invites[each.key]
      rendezvous = jsonencode(var.rendezvous)
      data       = "/dev/disk/by-id/google-data"
    })
  }

  lifecycle {
    ignore_changes = [boot_disk, metadata]

    precondition {
      condition     = startswith(lookup(var.invites, each.key, ""), "gn1_")
      error_message = "${each.key} has no invite: ./invoke cluster invite"
    }
  }
}
