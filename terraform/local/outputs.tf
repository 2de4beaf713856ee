output "status" {
  description = "The command that shows every node: role, height, peers, signing."
  value       = "${local.invoke} fleet status --folder ${local.folder}"
}
