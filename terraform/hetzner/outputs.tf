output "addresses" {
  description = "Public address of each sentry."
  value       = { for name in var.sentries : name => hcloud_server.node[name].ipv4_address }
}
