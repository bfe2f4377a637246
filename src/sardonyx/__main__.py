"""`python -m sardonyx`: the command line."""

from __future__ import annotations

import sys

from sardonyx.tools.cli import main

if __name__ == "__main__":
    sys.exit(main())
