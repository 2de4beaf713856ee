locals {
  nodes     = merge({ for name in var.sentries : name => "sentry" }, { for name in compact([var.validator]) : name => "validator" })
  machines  = merge(local.nodes, { for name in compact([var.rendezvous_machine]) : name => "rendezvous" })
  reachable = { for name, role in local.machines : name => role if role != "validator" }
  volume_gb = coalesce(var.volume_gb, lookup(jsondecode(file("${path.module}/../volume_gb.json")), var.network, 200))

  # A machine's place follows from its position; where it is launched already, a change here does not move it.
  order  = concat(var.sentries, compact([var.validator]), compact([var.rendezvous_machine]))
  subnet = { for index, name in local.order : name => var.subnets[index % length(var.subnets)] }

  # Who may come in from where, by role.
  open = {
    sentry     = { peers = ["tcp", 26656], mesh = ["udp", 51820] }
    validator  = {}
    rendezvous = { rendezvous = ["tcp", 8700] }
  }
}

data "aws_subnet" "chosen" {
  for_each = local.subnet
  id       = each.value
}

resource "aws_security_group" "machine" {
  for_each    = local.machines
  name_prefix = "goldnode-${each.key}-"
  description = "goldnode ${each.value}"
  vpc_id      = var.vpc_id
}

resource "aws_vpc_security_group_egress_rule" "ipv4" {
  for_each          = local.machines
  security_group_id = aws_security_group.machine[each.key].id
  description       = "Nodes dial peers, the rendezvous and time servers"
  ip_protocol       = "-1"
  cidr_ipv4         = "0.0.0.0/0"
}

resource "aws_vpc_security_group_egress_rule" "ipv6" {
  for_each          = local.machines
  security_group_id = aws_security_group.machine[each.key].id
  description       = "Nodes dial peers, the rendezvous and time servers"
  ip_protocol       = "-1"
  cidr_ipv6         = "::/0"
}

locals {
  ports   = merge([for name, role in local.machines : { for what, port in local.open[role] : "${name} ${what}" => { name = name, what = what, protocol = port[0], port = port[1] } }]...)
  readers = merge([for name in keys(local.nodes) : { for network in var.metrics_from : "${name} ${network}" => { name = name, network = network } }]...)
}

resource "aws_vpc_security_group_ingress_rule" "ipv4" {
  for_each          = local.ports
  security_group_id = aws_security_group.machine[each.value.name].id
  description       = each.value.what
  ip_protocol       = each.value.protocol
  from_port         = each.value.port
  to_port           = each.value.port
  cidr_ipv4         = "0.0.0.0/0"
}

resource "aws_vpc_security_group_ingress_rule" "ipv6" {
  for_each          = local.ports
  security_group_id = aws_security_group.machine[each.value.name].id
  description       = each.value.what
  ip_protocol       = each.value.protocol
  from_port         = each.value.port
  to_port           = each.value.port
  cidr_ipv6         = "::/0"
}

resource "aws_vpc_security_group_ingress_rule" "metrics" {
  for_each          = local.readers
  security_group_id = aws_security_group.machine[each.value.name].id
  description       = "metrics"
  ip_protocol       = "tcp"
  from_port         = 9600
  to_port           = 9600
  cidr_ipv4         = strcontains(each.value.network, ":") ? null : each.value.network
  cidr_ipv6         = strcontains(each.value.network, ":") ? each.value.network : null
}

# Elastic: it stays when the machine is stopped, and goes to the one that replaces it.
resource "aws_eip" "public" {
  for_each = local.reachable
  domain   = "vpc"

  tags = {
    Name = each.key
  }
}

resource "aws_eip_association" "public" {
  for_each      = local.reachable
  instance_id   = aws_instance.node[each.key].id
  allocation_id = aws_eip.public[each.key].id
}

# The volume by its own id: the second disk that the kernel finds may be the instance's own, gone when it stops.
module "machine" {
  source   = "../machine"
  for_each = local.machines

  role         = each.value
  name         = each.key
  invite       = lookup(var.invites, each.key, null)
  rendezvous   = var.rendezvous
  metrics_from = var.metrics_from
  addresses    = each.value == "sentry" ? [aws_eip.public[each.key].public_ip] : []
  data         = each.value == "rendezvous" ? "" : "/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_${replace(aws_ebs_volume.data[each.key].id, "-", "")}"
}

resource "aws_instance" "node" {
  for_each               = local.machines
  ami                    = var.image
  instance_type          = var.instance_type
  subnet_id              = local.subnet[each.key]
  ipv6_address_count     = var.ipv6 ? 1 : null
  vpc_security_group_ids = [aws_security_group.machine[each.key].id]

  # User-data acts once, at the first boot; a later change must not replace a machine that has keys.
  user_data = module.machine[each.key].user_data

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
    ignore_changes = [ami, user_data, subnet_id, ipv6_address_count]
  }
}

resource "aws_ebs_volume" "data" {
  for_each          = local.nodes
  availability_zone = data.aws_subnet.chosen[each.key].availability_zone
  size              = local.volume_gb
  type              = "gp3"
  encrypted         = true

  tags = {
    Name = "${each.key}-data"
  }

  lifecycle {
    ignore_changes  = [availability_zone]
    prevent_destroy = true
  }
}

resource "aws_volume_attachment" "data" {
  for_each    = local.nodes
  device_name = "/dev/sdf"
  instance_id = aws_instance.node[each.key].id
  volume_id   = aws_ebs_volume.data[each.key].id
}
