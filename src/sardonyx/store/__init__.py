"""Which program serves a model, and where it is kept."""
