"""Products of few rows whose weights are kept in 24 bits."""
