"""QEMU virtual machines on this host: how they are started, and what accelerates them."""
