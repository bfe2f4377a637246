"""Sorting, selecting, looking up and running sums."""
