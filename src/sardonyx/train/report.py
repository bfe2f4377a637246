"""A training as one HTML page: what was read, tried, found and doubted.

Decides what is shown; how it is drawn stands beside.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

import numpy as np

from sardonyx.train import scores
from sardonyx.train.drawing import curve, document, scatter, table
from sardonyx.train.training import Trained

MOST_ROWS = 15


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
        table(
            ("column", "kind", "values", "missing", ""),
            ((c.name, c.kind, str(c.distinct), str(c.missing), c.why) for c in trained.columns),
        ),
        "<h2>As ONNX</h2>",
        _parity(trained),
    ]
    return document(title, parts)


def _doubts(warnings: Sequence[str]) -> str:
    return "".join(f'<p class="doubt">{escape(text)}</p>' for text in warnings)


def _scores(trained: Trained) -> str:
    rows = (
        (row.name, f"{row.value:.4g}", f"{row.low:.4g} to {row.high:.4g}", f"{plain.value:.4g}")
        for row, plain in zip(trained.scores, trained.baseline_scores, strict=True)
    )
    return table(("measure", "value", "95 of 100 draws", "always the same answer"), rows)


def _plots(trained: Trained) -> str:
    if not trained.classes:
        return f"<h2>Predicted against true</h2>{scatter(trained.truth, np.ravel(trained.answers))}"
    said = np.array(trained.classes)[trained.answers.argmax(1)]
    counts = scores.confusion(trained.truth, said, trained.classes)
    names = [str(label) for label in trained.classes]
    rows = ((name, *(str(count) for count in row)) for name, row in zip(names, counts, strict=True))
    rows_of = scores.calibration(trained.truth, trained.answers, trained.classes)
    return (
        f"<h2>What was, and what was said</h2>{table(('was', *names), rows)}"
        f"<h2>How sure it was, and how often right</h2>{curve(rows_of)}"
    )


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
    return table(("family", f"{loss} in cross-validation", "took", "settings"), rows)


def _short(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _parity(trained: Trained) -> str:
    rows = (
        (row.name, f"{row.relative_error:.1e}", f"{row.differing} of {row.count}")
        for row in trained.converted.parity.outputs
    )
    return table(("output", "largest error beside scikit-learn", "differing"), rows)
