locals {
  invoke = abspath("${path.module}/../../invoke")
  image  = var.image == "" ? "" : abspath(var.image)
  folder = abspath(coalesce(var.folder, "${path.module}/.terraform/fleet"))
}

# The place comes first, so that destroying works after any failure: Terraform runs no destroy
# provisioner of a resource whose creation failed, and making a place cannot fail.
resource "terraform_data" "place" {
  input            = { invoke = local.invoke, folder = local.folder }
  triggers_replace = local.folder

  provisioner "local-exec" {
    when        = destroy
    command     = "\"$INVOKE\" fleet down --folder \"$FOLDER\""
    environment = { INVOKE = self.output.invoke, FOLDER = self.output.folder }
  }
}

# Machines, rendezvous and the validators outside; done when every node is ready, failed otherwise.
resource "terraform_data" "fleet" {
  triggers_replace = [terraform_data.place.id, local.image, var.sentries, var.network]

  provisioner "local-exec" {
    command = <<-EOT
      "$INVOKE" fleet down --folder "$FOLDER" &&
      "$INVOKE" fleet up --folder "$FOLDER" --network "$NETWORK" --image "$IMAGE" --sentries "$SENTRIES"
    EOT

    environment = {
      INVOKE   = local.invoke
      FOLDER   = local.folder
      NETWORK  = var.network
      IMAGE    = local.image
      SENTRIES = var.sentries
    }
  }

  lifecycle {
    precondition {
      condition     = var.image == "" || try(fileexists(var.image), false)
      error_message = "There is no image ${var.image}: ./invoke bake"
    }
  }
}
