"""The blind server where nodes of a cluster leave sealed records for each other."""
