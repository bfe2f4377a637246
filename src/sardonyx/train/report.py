"""A training as one HTML page: what was read, tried, found and doubted, with plots drawn as SVG.

Needs no network and no script; computes nothing but places of marks.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

import numpy as np

from sardonyx.train import scores
from sardonyx.train.training import Trained

Array = np.ndarray[Any, Any]
SIDE, EDGE = 320, 44
MOST_POINTS, MOST_ROWS = 1500, 15
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


def page(trained: Trained, title: str) -> str:
    """The HTML text."""
    best = min(trained.candidates, key=lambda row: row.loss)
    parts = [
        f"<h1>{escape(title)}</h1>",
        f"<p>{trained.rows} rows; {len(trained.truth)} held out ({escape(trained.settings.split)}); "
        f"{len(trained.candidates)} candidates tried; <b>{escape(best.family)}</b> won.</p>",
        _doubts(trained.warnings),
        "<h2>On rows that it never saw</h2>",
        _scores(trained),
        _plots(trained),
        "<h2>What it looks at</h2>",
        _importance(trained.importance),
        "<h2>What was tried</h2>",
        _candidates(trained),
        "<h2>What was read</h2>",
        _table(
            ("column", "kind", "values", "missing", ""),
            ((c.name, c.kind, str(c.distinct), str(c.missing), c.why) for c in trained.columns),
        ),
        "<h2>As ONNX</h2>",
        _parity(trained),
    ]
    head = '<meta charset="utf-8"><meta name="viewport" content="width=device-width">'
    head += f"<title>{escape(title)}</title>"
    return f'<!doctype html><html lang="en">{head}<style>{STYLE}</style>\n' + "\n".join(parts) + "\n</html>\n"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    top = "".join(f"<th>{escape(cell)}</th>" for cell in head)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f'<div class="wide"><table><tr>{top}</tr>{body}</table></div>'


def _doubts(warnings: Sequence[str]) -> str:
    return "".join(f'<p class="doubt">{escape(text)}</p>' for text in warnings)


def _scores(trained: Trained) -> str:
    rows = (
        (row.name, f"{row.value:.4g}", f"{row.low:.4g} to {row.high:.4g}", f"{plain.value:.4g}")
        for row, plain in zip(trained.scores, trained.baseline_scores, strict=True)
    )
    return _table(("measure", "value", "95 of 100 draws", "always the same answer"), rows)


def _plots(trained: Trained) -> str:
    if not trained.classes:
        return f"<h2>Foretold beside true</h2>{_scatter(trained.truth, np.ravel(trained.answers))}"
    said = np.array(trained.classes)[trained.answers.argmax(1)]
    counts = scores.confusion(trained.truth, said, trained.classes)
    names = [str(label) for label in trained.classes]
    rows = ((name, *(str(count) for count in row)) for name, row in zip(names, counts, strict=True))
    rows_of = scores.calibration(trained.truth, trained.answers, trained.classes)
    return (
        f"<h2>What was, and what was said</h2>{_table(('was', *names), rows)}"
        f"<h2>How sure it was, and how often right</h2>{_curve(rows_of)}"
    )


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


def _curve(rows: Sequence[tuple[float, float, int]]) -> str:
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


def _scatter(truth: Array, answers: Array) -> str:
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


def _importance(rows: Sequence[tuple[str, float, float]]) -> str:
    shown = rows[:MOST_ROWS]
    largest = max((loss for _, loss, _ in shown), default=0.0)
    body = "".join(
        f"<tr><td>{escape(name)}</td><td>{loss:.3g} ± {spread:.1g}</td>"
        f'<td style="width:14rem"><div class="bar" style="width:{_part(loss, largest):.1f}%"></div></td></tr>'
        for name, loss, spread in shown
    )
    head = "<tr><th>column</th><th>loss grows by, if shuffled</th><th></th></tr>"
    return f'<div class="wide"><table>{head}{body}</table></div>'


def _part(value: float, largest: float) -> float:
    return 100 * max(value, 0.0) / largest if largest > 0 else 0.0


def _candidates(trained: Trained) -> str:
    rows = (
        (
            row.family,
            f"{row.loss:.4g} ± {row.spread:.2g}",
            f"{row.seconds:.1f} s",
            ", ".join(f"{name} {_short(value)}" for name, value in row.settings.items()) or "defaults",
        )
        for row in sorted(trained.candidates, key=lambda row: row.loss)
    )
    loss = "log loss" if trained.classes else "root mean square error"
    return _table(("family", f"{loss} in cross-validation", "took", "settings"), rows)


def _short(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _parity(trained: Trained) -> str:
    rows = (
        (row.name, f"{row.relative_error:.1e}", f"{row.differing} of {row.count}")
        for row in trained.converted.parity.outputs
    )
    return _table(("output", "largest error beside scikit-learn", "differing"), rows)
