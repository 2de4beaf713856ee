"""Several nodes in one JVM: what the host is told, how it is asked, what its nodes need."""
