"""The machines of a bake under QEMU, and how Packer gets into them."""
