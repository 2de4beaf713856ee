"""The verbs of ``goldnode``: each reads the outside world, calls one function, prints.

``boot``: from node.yaml to a role.  ``loop`` and ``preflight``: what the units run.  ``nodes``: looking
at nodes, starting and stopping them.  ``keyring``: consensus keys, and moving to another machine.
``hosted``: the nodes of a JVM network.
"""
