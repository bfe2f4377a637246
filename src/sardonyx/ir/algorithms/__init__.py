"""What the primitives that are algorithms mean, in numpy: one family a file."""
