# Nothing is downloaded: terraform_data is built into Terraform.
terraform {
  required_version = ">= 1.5"
}
