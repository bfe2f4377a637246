"""The x86-64 family."""
