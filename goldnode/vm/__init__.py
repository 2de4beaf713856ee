"""QEMU machines on this machine: what they are started with, and what accelerates them."""
