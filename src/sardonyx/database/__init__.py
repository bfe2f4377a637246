"""The tables of registry and monitors, and how they move from one version to the next."""
