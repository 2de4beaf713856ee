"""The member's side of the rendezvous: verify what arrives, keep a roster, publish one's own record."""
