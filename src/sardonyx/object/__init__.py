"""Machine code as bytes and as mapped memory: compiled, linked, mapped, executed."""
