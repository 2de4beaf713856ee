output "addresses" {
  description = "Public address of each sentry."
  value       = { for name in var.sentries : name => aws_instance.node[name].public_ip }
}
