"""Pages and plots as HTML and SVG without network and script: documents, tables, curves, clouds of points."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
SIDE, EDGE = 320, 44
MOST_POINTS = 1500
STYLE = """
:root { color-scheme: light dark;
  --ink: #1b1b1b; --soft: #666; --line: #d8d8d8; --mark: #2f6fab; --paper: #fff }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e8e8e8; --soft: #a5a5a5; --line: #444; --mark: #7fb4e6; --paper: #16181a }
}
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper);
  max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.5rem } h2 { font-size: 1.1rem; margin-top: 2rem }
.wide { overflow-x: auto }
table { border-collapse: collapse; font-variant-numeric: tabular-nums }
th, td { text-align: left; padding: .25rem .8rem .25rem 0; border-bottom: 1px solid var(--line) }
th { color: var(--soft); font-weight: normal }
.doubt { border-left: 3px solid #c77700; padding: .2rem .8rem; margin: .4rem 0 }
.bar { background: var(--mark); height: .7rem; min-width: 1px }
svg { max-width: 100%; height: auto } svg text { fill: var(--soft); font-size: 11px }
.axis { stroke: var(--line); fill: none } .mark { fill: var(--mark) }
.line { stroke: var(--mark); fill: none }
"""


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


def _frame(labels: str, marks: str, low: str, high: str) -> str:
    across, up = labels.split("|")
    end = SIDE - 8
    return (
        f'<svg viewBox="0 0 {SIDE} {SIDE}" width="{SIDE}" role="img" '
        f'aria-label="{escape(up)} by {escape(across)}">'
        f'<path class="axis" d="M{EDGE} 8V{SIDE - EDGE}H{end}M{EDGE} {SIDE - EDGE}L{end} 8"/>{marks}'
        f'<text x="{EDGE}" y="{SIDE - EDGE + 14}">{escape(low)}</text>'
        f'<text x="{end}" y="{SIDE - EDGE + 14}" text-anchor="end">{escape(high)}</text>'
        f'<text x="{(EDGE + end) / 2}" y="{SIDE - 8}" text-anchor="middle">{escape(across)}</text>'
        f'<text transform="translate(14 {(SIDE - EDGE) / 2}) rotate(-90)" text-anchor="middle">'
        f"{escape(up)}</text></svg>"
    )


def _places(values: Array, low: float, high: float) -> Array:
    """From 0 at the axis to the far end."""
    part: Array = (values - low) / ((high - low) or 1.0) * (SIDE - EDGE - 8)
    return part


def curve(rows: Sequence[tuple[float, float, int]]) -> str:
    """How often it was right beside how sure it was; dots are as large as there are rows."""
    x = EDGE + _places(np.array([row[0] for row in rows]), 0, 1)
    y = SIDE - EDGE - _places(np.array([row[1] for row in rows]), 0, 1)
    path = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x, y, strict=True))
    largest = max(row[2] for row in rows)
    dots = "".join(
        f'<circle class="mark" cx="{a:.1f}" cy="{b:.1f}" r="{2 + 5 * (row[2] / largest) ** 0.5:.1f}">'
        f"<title>{row[2]} rows</title></circle>"
        for a, b, row in zip(x, y, rows, strict=True)
    )
    return _frame("sure|right", f'<polyline class="line" points="{path}"/>{dots}', "0", "1")


def scatter(truth: Array, answers: Array) -> str:
    """Answers beside the truth, thinned out."""
    both = np.concatenate([truth, answers])
    low, high = float(both.min()), float(both.max())
    step = max(1, len(truth) // MOST_POINTS)
    x = EDGE + _places(truth[::step], low, high)
    y = SIDE - EDGE - _places(answers[::step], low, high)
    dots = "".join(
        f'<circle class="mark" cx="{a:.1f}" cy="{b:.1f}" r="2" opacity=".5"/>'
        for a, b in zip(x, y, strict=True)
    )
    return _frame("true|foretold", dots, f"{low:.4g}", f"{high:.4g}")
