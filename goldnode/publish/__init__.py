"""Releases: what binds an image to its proof, and carries both to clouds."""
