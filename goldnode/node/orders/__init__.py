"""Orders by record: verified, carried out once, undone if the node is unhealthy afterwards, answered."""
