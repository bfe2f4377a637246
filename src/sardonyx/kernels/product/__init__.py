"""Matrix products: the call, the driver between threads, the walk over blocks."""
