"""Finished disk images: read without mounting, digested, checked for what must not ship."""
