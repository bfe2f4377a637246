"""Models that read tensors: networks, and files that hold them."""
