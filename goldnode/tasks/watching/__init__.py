"""`./invoke watch`: one live page of a cluster, in the terminal or in a browser."""
