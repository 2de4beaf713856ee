"""The only code that touches the running machine."""
