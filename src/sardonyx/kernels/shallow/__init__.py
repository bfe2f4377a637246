"""Products of many rows whose sums are short."""
