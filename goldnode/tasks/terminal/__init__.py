"""The command line's interface to people and shells: help, completion, tables, streams."""
