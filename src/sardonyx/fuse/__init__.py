"""Which values share a kernel and which are stored."""
