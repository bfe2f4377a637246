"""Searches over tokens: loops over the decoder that a node carries; importing the files registers them."""
