"""One file per command, each with `add(subparsers)`; nothing is decided here."""
