"""Makes images: runs on the operator's machine, or in CI."""
