locals {
  roles = merge({ for name in var.sentries : name => "sentry" }, { for name in compact([var.validator]) : name => "validator" })
}

resource "aws_security_group" "node" {
  for_each    = local.roles
  name_prefix = "goldnode-${each.key}-"
  description = "goldnode ${each.value}"
  vpc_id      = var.vpc_id
}

resource "aws_vpc_security_group_egress_rule" "all" {
  for_each          = local.roles
  security_group_id = aws_security_group.node[each.key].id
  description       = "Nodes dial peers, the rendezvous and time servers"
  ip_protocol       = "-1"
  cidr_ipv4         = "0.0.0.0/0"
}

resource "aws_vpc_security_group_ingress_rule" "peers" {
  for_each          = toset(var.sentries)
  security_group_id = aws_security_group.node[each.key].id
  description       = "Peers of the network"
  ip_protocol       = "tcp"
  from_port         = 26656
  to_port           = 26656
  cidr_ipv4         = "0.0.0.0/0"
}

resource "aws_vpc_security_group_ingress_rule" "mesh" {
  for_each          = toset(var.sentries)
  security_group_id = aws_security_group.node[each.key].id
  description       = "WireGuard mesh of the cluster"
  ip_protocol       = "udp"
  from_port         = 51820
  to_port           = 51820
  cidr_ipv4         = "0.0.0.0/0"
}

resource "aws_instance" "node" {
  for_each               = local.roles
  ami                    = var.image
  instance_type          = var.instance_type
  subnet_id              = var.subnet_id
  vpc_security_group_ids = [aws_security_group.node[each.key].id]

  # User-data acts once, at the first boot; a later change must not replace a machine that has keys.
  user_data = templatefile("${path.module}/../user-data.yaml.tftpl", {
    role       = each.value
    name       = each.key
    join       = var.invites[each.key]
    rendezvous = jsonencode(var.rendezvous)
    data       = "/dev/nvme1n1"
  })

  metadata_options {
    http_endpoint = "enabled"
    http_tokens   = "required"
  }

  root_block_device {
    volume_type = "gp3"
    encrypted   = true
  }

  tags = {
    Name = each.key
  }

  lifecycle {
    ignore_changes = [ami, user_data]

    precondition {
      condition     = startswith(lookup(var.invites, each.key, ""), "gn1_")
      error_message = "${each.key} has no invite: ./invoke cluster invite"
    }
  }
}

resource "aws_ebs_volume" "data" {
  for_each          = local.roles
  availability_zone = var.availability_zone
  size              = var.volume_gb
  type              = "gp3"
  encrypted         = true

  tags = {
    Name = "${each.key}-data"
  }

  lifecycle {
    prevent_destroy = true
  }
}

resource "aws_volume_attachment" "data" {
  for_each    = local.roles
  device_name = "/dev/sdf"
  instance_id = aws_instance.node[each.key].id
  volume_id   = aws_ebs_volume.data[each.key].id
}
