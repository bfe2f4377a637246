"""Convolutions of 3x3 windows with fewer multiplications: transformed tiles, multiplied point by point."""
