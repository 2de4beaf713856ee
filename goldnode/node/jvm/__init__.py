"""Several nodes in one JVM: the host's files, its socket, and what its nodes need."""
