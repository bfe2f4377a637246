"""The steps; nothing is decided here."""
