"""What an operator does with a running cluster: watch it live, and speak for its validators on their chain."""
