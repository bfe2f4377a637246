"""Products of bytes with any weights in sums of 16 bits: what is far from a centre is multiplied apart."""
