"""What must never be lost or used twice: consensus keys, signing state, identities, handovers."""
