"""Compiles what all models share, for every target that has code: `python -m sardonyx.tools.ship FOLDER`.

A wheel that is built with it starts its first model without compiling contractions. Decides what is shipped.
"""

from __future__ import annotations

import sys
from pathlib import Path

from sardonyx import targets
from sardonyx.base.policy import Policy
from sardonyx.compiler.shared import shared_modules
from sardonyx.object import engine, shipped

PRECISIONS = ("fp32", "strict")


def write(folder: Path) -> int:
    """Write the objects into a folder; how many there are."""
    objects = {}
    for target in (t for family in targets.FAMILIES for t in family.targets if t.is_machine):
        for precision in PRECISIONS:
            for name, text in shared_modules(target).items():
                goal = text.goal(target, Policy(precision))
                code = engine.compile_object(text.of(goal), goal.target)
                objects[name, goal.target, precision] = code
    shipped.write(folder, objects)
    return len(objects)


def main() -> int:
    """Write to the folder of the command line, or where this package looks for them."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else shipped.FOLDER
    print(f"{write(folder)} objects in {folder}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
