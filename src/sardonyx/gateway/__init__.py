"""Everything in one process: the data plane with registry, monitors, admin API and console."""
