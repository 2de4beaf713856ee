"""goldnode: golden, multi-role machine images for blockchain nodes.

The folders say on which machine, and at which moment, code runs (ARCHITECTURE.md):
``bake`` on the operator's machine, ``node`` on every boot of our image, ``rendezvous`` on the
host where nodes find each other.  The plumbing that all of them share is beside this file.
"""
