"""Writes ops/homes.json, the file of every operator: `python -m sardonyx.tools.homes [--check]`.

With --check it writes nothing; the exit status is 1 if the file is another one.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from sardonyx import ops
from sardonyx.ops import table


def main() -> int:
    """Write the file, or compare it."""
    homes = json.dumps(found(), indent=1, sort_keys=True) + "\n"
    if "--check" in sys.argv:
        return int(ops.HOMES.read_text(encoding="utf-8") != homes)
    ops.HOMES.write_text(homes, encoding="utf-8")
    return 0


def found() -> dict[str, dict[str, str]]:
    """The files by domain and name, noted while all are imported, which must be for the first time."""
    homes: dict[str, dict[str, str]] = {}
    register = table.op

    def noting(name: str, since: int = 1, domain: str = "", strict: bool = True) -> Any:
        module: str = sys._getframe(1).f_globals["__name__"]
        homes.setdefault(domain, {})[name] = module.removeprefix(f"{ops.__name__}.")
        return register(name, since, domain, strict)

    table.op = noting
    try:
        ops.register_all()
    finally:
        table.op = register
    return homes


if __name__ == "__main__":
    sys.exit(main())
