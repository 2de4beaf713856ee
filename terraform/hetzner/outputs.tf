output "addresses" {
  description = "Public address of each sentry."
  value       = { for name in var.sentries : name => hcloud_server.node[name].ipv4_address }
}

output "rendezvous" {
  description = "Where the rendezvous machine is: `./invoke cluster new NAME --network NETWORK --rendezvous` takes it."
  value       = one([for name in compact([var.rendezvous_machine]) : "http://${hcloud_server.node[name].ipv4_address}:8700"])
}
