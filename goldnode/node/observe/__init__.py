"""What is measured of a machine and told of it: pages for Prometheus, what a chain counts, notices for people."""
