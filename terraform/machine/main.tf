# The user-data of one machine, by the least that a member of a cluster needs.  Each cloud's folder uses this; no cloud,
# no provider.

# Remembers the invite that the machine was launched with: it is asked for while there is no machine, and never again.
resource "terraform_data" "invite" {
  input = var.invite

  lifecycle {
    ignore_changes = [input]
  }
}

locals {
  invite = sensitive(var.role == "rendezvous" ? "" : coalesce(terraform_data.invite.output, "none"))
}

output "user_data" {
  description = "What the machine is told at its first boot."
  sensitive   = true
  value = templatefile("${path.module}/user-data.yaml.tftpl", {
    role       = var.role
    name       = var.name
    join       = local.invite
    rendezvous = jsonencode(var.rendezvous)
    addresses  = jsonencode(compact(var.addresses))
    metrics    = jsonencode(var.metrics_from)
    data       = var.data
  })

  precondition {
    condition     = var.role == "rendezvous" || startswith(local.invite, "gn1_")
    error_message = "${var.name} has no invite: ./invoke cluster invite CLUSTER --role ${var.role} --tfvars FILE --node ${var.name}"
  }

  precondition {
    condition     = var.role == "rendezvous" || length(var.rendezvous) > 0
    error_message = "${var.name} does not know where its cluster meets: ./invoke cluster invite writes `rendezvous` beside the invites"
  }
}
