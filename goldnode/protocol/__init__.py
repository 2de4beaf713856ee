"""What travels between members and the rendezvous, and what is signed: formats and limits, no I/O."""
