"""Products of floats as products of bytes: whole numbers with a scale a row, cut into digits."""
