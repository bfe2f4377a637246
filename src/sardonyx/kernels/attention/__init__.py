"""Attention: two products and what stands between them, rows at a time."""
