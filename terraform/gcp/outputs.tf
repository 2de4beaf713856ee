output "addresses" {
  description = "Public address of each sentry."
  value       = { for name in var.sentries : name => google_compute_instance.node[name].network_interface[0].access_config[0].nat_ip }
}
