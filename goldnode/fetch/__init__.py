"""Bytes from outside: downloaded, resumed, checked against their pin, unpacked."""
