"""The measured figures as a picture: a group of bars for each case, as long as a request takes of the CPU."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from pathlib import Path

from serving.processes import Load

_WIDTH, _NAMES, _BAR, _GAP = 720, 190, 18, 16
_OURS, _OTHERS = "#b5532a", "#9aa3ad"


def draw(found: Mapping[tuple[str, str], Load], path: Path) -> None:
    """Write an SVG file; within a case the longest bar takes the whole width."""
    lines: list[str] = []
    top = 0
    for case in dict.fromkeys(case for case, _ in found):
        loads = {who: load for (of, who), load in found.items() if of == case}
        most = max(load.cpu_us for load in loads.values())
        top += _GAP + _BAR
        lines.append(f'<text x="0" y="{top - 4}" font-weight="bold">{escape(case)}</text>')
        for who, load in loads.items():
            long = max(1.0, load.cpu_us / most * (_WIDTH - _NAMES - 90))
            colour = _OURS if who == "sardonyx" else _OTHERS
            lines.append(f'<text x="8" y="{top + 14}">{escape(who)}</text>')
            lines.append(
                f'<rect x="{_NAMES}" y="{top + 2}" width="{long:.0f}" height="{_BAR - 4}" fill="{colour}"/>'
            )
            lines.append(f'<text x="{_NAMES + long + 6:.0f}" y="{top + 14}">{load.cpu_us:.0f} µs</text>')
            top += _BAR
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {top + _GAP}" role="img" '
        'font-family="sans-serif" font-size="13"><title>CPU time of one request, by server</title>'
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([head, *lines, "</svg>"]), encoding="utf-8")
