output "addresses" {
  description = "Public address of each sentry."
  value       = { for name in var.sentries : name => aws_eip.public[name].public_ip }
}

output "rendezvous" {
  description = "Where the rendezvous machine is: `./invoke cluster new NAME --network NETWORK --rendezvous` takes it."
  value       = one([for name in compact([var.rendezvous_machine]) : "http://${aws_eip.public[name].public_ip}:8700"])
}
