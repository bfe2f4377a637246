"""The measured figures as a picture: a group of bars for each case, as long as a request takes of the CPU."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from serving.processes import Load

from sardonyx.base import svg

_WIDTH, _EDGE, _NAMES, _BAR, _GAP = 740, 10, 190, 18, 16


def draw(found: Mapping[tuple[str, str], Load], path: Path) -> None:
    """Write an SVG file; within a case the longest bar takes the whole width."""
    marks: list[str] = []
    top = 0
    for case in dict.fromkeys(case for case, _ in found):
        loads = {who: load for (of, who), load in found.items() if of == case}
        most = max(load.cpu_us for load in loads.values())
        top += _GAP + _BAR
        marks.append(svg.text(_EDGE, top - 4, case, kind="head"))
        for who, load in loads.items():
            long = max(1.0, load.cpu_us / most * (_WIDTH - _NAMES - 110))
            colour = "other" if who == "sardonyx" else "mark"
            marks.append(svg.text(_EDGE + 8, top + 14, who))
            marks.append(svg.bar(_EDGE + _NAMES, top + 2, long, _BAR - 4, colour))
            marks.append(svg.text(_EDGE + _NAMES + long + 6, top + 14, f"{load.cpu_us:.0f} µs"))
            top += _BAR
    path.parent.mkdir(parents=True, exist_ok=True)
    drawn = svg.document(_WIDTH, top + _GAP, "CPU time of one request, by server", marks)
    path.write_text(drawn, encoding="utf-8")
