"""Orders by record: verified, carried out once, undone when the node is not well afterwards, answered."""
