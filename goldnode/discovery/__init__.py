"""The member's side of the rendezvous: verify what came, keep a roster, publish one's own record."""
