output "addresses" {
  description = "Public address of each sentry."
  value       = { for name in var.sentries : name => digitalocean_droplet.node[name].ipv4_address }
}
