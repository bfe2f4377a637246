"""Compiles what all models share, for every target that has code: `python -m sardonyx.tools.ship FOLDER`.

A wheel that is built with it starts its first model without compiling contractions. Decides what is shipped.
"""

from __future__ import annotations

import argparse
import sys
from functools import cache
from pathlib import Path

from sardonyx import targets
from sardonyx.base.knobs import PRECISIONS
from sardonyx.base.policy import Policy
from sardonyx.compiler.shared import shared_modules
from sardonyx.object import engine, shipped


def write(folder: Path) -> int:
    """Write the objects into a folder; how many there are."""
    compiled = cache(engine.compile_object)
    objects = {}
    for target in (t for family in targets.FAMILIES for t in family.targets if t.is_machine):
        for precision in PRECISIONS:
            for name, text in shared_modules(target, precision).items():
                goal = text.goal(target, Policy(precision))
                objects[name, goal.target, precision] = compiled(text.of(goal), goal.target)
    shipped.write(folder, objects)
    return len(objects)


def main() -> int:
    """Write to the folder of the command line, or where this package looks for them."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=shipped.FOLDER)
    folder = parser.parse_args().folder
    print(f"{write(folder)} objects in {folder}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
