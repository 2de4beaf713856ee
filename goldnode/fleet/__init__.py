"""Machines on this machine: a whole cluster of our image under QEMU, and the external validators."""
