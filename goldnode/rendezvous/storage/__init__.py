"""What the rendezvous keeps: rows behind one small interface, in one SQLite file."""
