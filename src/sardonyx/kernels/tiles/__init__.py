"""Register tiles that the contraction families share, and copies that feed them."""
