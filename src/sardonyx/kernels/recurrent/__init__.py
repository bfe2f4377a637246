"""Recurrent layers: the call, the driver between threads, steps, cells and sums."""
