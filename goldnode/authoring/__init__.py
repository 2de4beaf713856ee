"""Commands that write network files for people: import from the chain registry, lock."""
