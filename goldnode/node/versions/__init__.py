"""The versions of a daemon on a node: fetched, announced ahead of an upgrade, and switched at its height."""
