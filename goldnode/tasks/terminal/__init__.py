"""How the command line speaks with people and their shells: help, completion, tables, streams."""
