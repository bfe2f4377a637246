"""A convolution and what slides windows over it: what is between them stays in the cache, strip by strip."""
