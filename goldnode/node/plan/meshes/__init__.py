"""What each program that carries the private network reads, and its keys."""
