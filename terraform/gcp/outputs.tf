output "addresses" {
  description = "Public address of each sentry."
  value       = { for name in var.sentries : name => google_compute_address.public[name].address }
}

output "rendezvous" {
  description = "Where the rendezvous machine is: `./invoke cluster new NAME --network NETWORK --rendezvous` takes it."
  value       = one([for name in compact([var.rendezvous_machine]) : "http://${google_compute_address.public[name].address}:8700"])
}
