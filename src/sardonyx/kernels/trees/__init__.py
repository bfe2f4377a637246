"""Ensembles of decision trees: the call, the driver between threads, and votes."""
