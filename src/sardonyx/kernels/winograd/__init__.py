"""Convolutions with fewer multiplications: tiles are transformed, then multiplied point by point."""
