"""What people write (network files, roles, node.yaml), parsed once into frozen values."""
