"""The program of the node: runs on every boot of our image, on Debian's own Python.

A boot, in order:

    configure   node.yaml → faults, or a plan → applied             (oneshot, idempotent, needs no network)
    fetch       deferred artifacts, verified                         (only on an image that has some)
    agent       records, roster, mesh, start and restart, health     (runs on)
    run NAME    the preflight before a daemon: key, state, identity  (becomes the daemon)

How the modules hang together; each arrow is "is given to", and only the right-hand column touches
the machine:

    layout, ports                 where everything of a node is; which ports the n-th node has
    node_config, role, network    what people wrote (package root)
    machine       this machine: instance, clock, addresses
    node_yaml, fit                which node.yaml is in force; whether it fits the image
    inputs        the planner's input: the image, and what is known about each node
    identity, keys, signing_state, handover        what must never be lost or used twice
    cluster, peers                the roster as this program needs it; peer lists by role
    daemon_config, firewall, wireguard, vpncloud   the text of files, from values
    plan          → apply         files, users, units, mesh of the whole machine
    system        the interface to the running machine; live acts on it, dry_run only records
    rules         → agent         when to start, restart or redial, from what was seen
    rpc, health, metrics, console                  the present state, and reporting it

A machine always runs a list of nodes.  Nothing here knows whether it has one or many.
Nothing in this package may import what the image lacks: only the standard library,
``cryptography``, ``yaml``, ``tomlkit``.
"""
