"""Values in, values out: what the machine should look like, decided without touching it."""
