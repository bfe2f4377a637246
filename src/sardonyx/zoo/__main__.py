"""`python -m sardonyx.zoo`: list or fetch the real models."""

from __future__ import annotations

import argparse
import sys

from sardonyx.zoo.asking import FetchError
from sardonyx.zoo.catalog import models, zoo_directory
from sardonyx.zoo.fetch import fetch, is_in_place


def main(arguments: list[str] | None = None) -> int:
    """Fetch the models named on the command line, or list all; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m sardonyx.zoo", description=main.__doc__)
    parser.add_argument("names", nargs="*", help="models to fetch")
    parser.add_argument("--quick", action="store_true", help="fetch the quick set (about 60 MB)")
    parser.add_argument("--all", action="store_true", help="fetch every model (about 600 MB)")
    options = parser.parse_args(arguments)
    names = options.names or [row.name for row in models(quick=None if options.all else True)]
    if not (options.names or options.quick or options.all):
        print(f"in {zoo_directory()}")
        for row in models():
            state = "here" if is_in_place(row) else "quick" if row.quick else "-"
            print(f"{row.name:24} {row.size / 1e6:7.1f} MB  {row.precision:9}  {state:5}  {row.what}")
        return 0
    try:
        for name, path in fetch(names).items():
            print(f"{name:24} {path}")
    except (FetchError, KeyError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
