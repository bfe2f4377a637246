"""Linear algebra, Fourier transforms, regions and random numbers."""
