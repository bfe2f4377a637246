"""Kernel families that a loop nest alone does not reach peak with, and their calls."""
