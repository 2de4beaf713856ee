"""The stores of signing leases, by one interface; and the rule of sentries that are one."""
