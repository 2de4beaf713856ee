locals {
  roles = merge({ for name in var.sentries : name => "sentry" }, { for name in compact([var.validator]) : name => "validator" })
}

resource "hcloud_firewall" "sentry" {
  name = "goldnode-sentry"

  rule {
    description = "Peers of the network"
    direction   = "in"
    protocol    = "tcp"
    port        = "26656"
    source_ips  = ["0.0.0.0/0", "::/0"]
  }

  rule {
    description = "WireGuard mesh of the cluster"
    direction   = "in"
    protocol    = "udp"
    port        = "51820"
    source_ips  = ["0.0.0.0/0", "::/0"]
  }
}

# A firewall without an inbound rule lets nothing in but answers.
resource "hcloud_firewall" "validator" {
  name = "goldnode-validator"

  rule {
    description     = "Nodes dial sentries, the rendezvous and time servers"
    direction       = "out"
    protocol        = "udp"
    port            = "any"
    destination_ips = ["0.0.0.0/0", "::/0"]
  }

  rule {
    description     = "Nodes dial sentries, the rendezvous and time servers"
    direction       = "out"
    protocol        = "tcp"
    port            = "any"
    destination_ips = ["0.0.0.0/0", "::/0"]
  }
}

resource "hcloud_volume" "data" {
  for_each          = local.roles
  name              = "${each.key}-data"
  location          = var.location
  size              = var.volume_gb
  delete_protection = true

  lifecycle {
    prevent_destroy = true
  }
}

resource "hcloud_server" "node" {
  for_each     = local.roles
  name         = each.key
  image        = var.image
  server_type  = var.server_type
  location     = var.location
  firewall_ids = [each.value == "sentry" ? hcloud_firewall.sentry.id : hcloud_firewall.validator.id]

  # User-data acts once, at the first boot; a later change must not replace a machine that has keys.
  user_data = templatefile("${path.module}/../user-data.yaml.tftpl", {
    role       = each.value
    name       = each.key
    join       = var.invites[each.key]
    rendezvous = jsonencode(var.rendezvous)
    data       = hcloud_volume.data[each.key].linux_device
  })

  lifecycle {
    ignore_changes = [image, user_data]

    precondition {
      condition     = startswith(lookup(var.invites, each.key, ""), "gn1_")
      error_message = "${each.key} has no invite: ./invoke cluster invite"
    }
  }
}

resource "hcloud_volume_attachment" "data" {
  for_each  = local.roles
  server_id = hcloud_server.node[each.key].id
  volume_id = hcloud_volume.data[each.key].id
}
