"""The operator's side of a cluster: root key, invites, approvals, revocations."""
