"""The hygiene rules, one module per subject; importing this puts all of them on ``rule.RULES``."""

from goldnode.image.rules import access, boot, identity, leftovers, packages, permissions, secrets, units

__all__ = ["access", "boot", "identity", "leftovers", "packages", "permissions", "secrets", "units"]
