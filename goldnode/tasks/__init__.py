"""Invoke's tasks, one module per collection: glue that reads the outside world and calls one function."""
