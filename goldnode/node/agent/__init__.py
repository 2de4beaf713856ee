"""What keeps a configured machine true while it runs: reconcile, health, records, metrics."""
