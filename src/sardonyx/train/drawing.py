"""Pages and plots as HTML and SVG without network and script: documents, tables, curves, clouds of points."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

import numpy as np

from sardonyx.base import svg

Array = np.ndarray[Any, Any]
SIDE, EDGE, FOOT = 352, 76, 40
MOST_POINTS = 1500
STYLE = (
    svg.colours(":root")
    + """
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper);
  max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.5rem } h2 { font-size: 1.1rem; margin-top: 2rem }
.wide { overflow-x: auto; margin-bottom: 1rem }
table { border-collapse: collapse; font-variant-numeric: tabular-nums }
th, td { text-align: left; padding: .25rem .8rem .25rem 0; border-bottom: 1px solid var(--line) }
th { color: var(--soft); font-weight: normal }
.doubt { border-left: 3px solid #c77700; padding: .2rem .8rem; margin: .4rem 0 }
.bar { background: var(--mark); height: .7rem; min-width: 1px }
svg { max-width: 100%; height: auto } svg text { fill: var(--soft); font-size: 11px }
.axis { stroke: var(--line); fill: none } .mark, .thin { fill: var(--mark) } .thin { fill-opacity: .5 }
.course { stroke: var(--mark); fill: none }
"""
)


def document(title: str, parts: Iterable[str]) -> str:
    """A whole page of parts that are HTML."""
    head = '<meta charset="utf-8"><meta name="viewport" content="width=device-width">'
    head += f"<title>{escape(title)}</title>"
    return f'<!doctype html><html lang="en">{head}<style>{STYLE}</style>\n' + "\n".join(parts) + "\n</html>\n"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Rows of texts under a head."""
    top = "".join(f"<th>{escape(cell)}</th>" for cell in head)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f'<div class="wide"><table><tr>{top}</tr>{body}</table></div>'


def _frame(across: str, up: str, marks: Iterable[str], low: str, high: str) -> str:
    """A square plot with its diagonal, both axes from `low` to `high`."""
    base, end = SIDE - EDGE, SIDE - 8
    parts = [
        svg.course(((EDGE, 8), (EDGE, base), (end, base)), "axis"),
        svg.line(EDGE, base, end, 8, "axis"),
        *marks,
        svg.text(EDGE, base + 14, low),
        svg.text(end, base + 14, high, "end"),
        svg.text(EDGE - 4, base, low, "end"),
        svg.text(EDGE - 4, 16, high, "end"),
        svg.text((EDGE + end) / 2, base + FOOT - 8, across, "middle"),
        f'<g transform="translate(14 {base / 2}) rotate(-90)">{svg.text(0, 0, up, "middle")}</g>',
    ]
    return (
        f'<svg viewBox="0 0 {SIDE} {base + FOOT}" width="{SIDE}" role="img" '
        f'aria-label="{escape(up)} by {escape(across)}">{"".join(parts)}</svg>'
    )


def _places(values: Array, low: float, high: float) -> Array:
    """From 0 at the axis to the far end."""
    part: Array = (values - low) / ((high - low) or 1.0) * (SIDE - EDGE - 8)
    return part


def curve(rows: Sequence[tuple[float, float, int]]) -> str:
    """Accuracy by confidence: how often answers of that confidence were right; larger dots are more rows."""
    x = EDGE + _places(np.array([row[0] for row in rows]), 0, 1)
    y = SIDE - EDGE - _places(np.array([row[1] for row in rows]), 0, 1)
    points = list(zip(x.tolist(), y.tolist(), strict=True))
    largest = max(row[2] for row in rows)
    dots = (
        svg.dot(*point, 2 + 5 * (row[2] / largest) ** 0.5, "mark", f"{row[2]} rows")
        for point, row in zip(points, rows, strict=True)
    )
    return _frame("confidence", "accuracy", (svg.course(points, "course"), *dots), "0", "1")


def scatter(truth: Array, answers: Array) -> str:
    """Answers beside the truth, thinned out."""
    both = np.concatenate([truth, answers])
    low, high = float(both.min()), float(both.max())
    step = max(1, len(truth) // MOST_POINTS)
    x = EDGE + _places(truth[::step], low, high)
    y = SIDE - EDGE - _places(answers[::step], low, high)
    dots = [svg.dot(*point, 2, "thin") for point in zip(x.tolist(), y.tolist(), strict=True)]
    return _frame("true", "predicted", dots, f"{low:.4g}", f"{high:.4g}")
