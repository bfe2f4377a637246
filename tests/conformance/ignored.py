"""Reads ignored.txt: which cases a target is known to fail, and why."""

from __future__ import annotations

from pathlib import Path

LIST = Path(__file__).with_name("ignored.txt")


def ignored(target: str) -> dict[str, str]:
    """Reason by case name for a target; a line for `every` holds for all of them.

    Raises:
        ValueError: a line does not give target, case and reason.
    """
    reasons: dict[str, str] = {}
    for number, line in enumerate(LIST.read_text(encoding="utf-8").splitlines(), 1):
        if not line or line.startswith("#"):
            continue
        fields = line.split(maxsplit=2)
        if len(fields) < 3:
            raise ValueError(f"{LIST.name}:{number}: give target, case and reason")
        if fields[0] in (target, "every"):
            reasons[fields[1]] = fields[2]
    return reasons
