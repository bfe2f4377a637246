"""Drawings made on the server, as SVG: two histograms in one, the course of a value.

Decides scales. Must not know what is drawn.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from markupsafe import Markup, escape

from sardonyx.base import svg
from sardonyx.gateway.console.view import number_text

_WIDTH, _HEIGHT, _BOTTOM, _LEFT = 480, 160, 26, 52
_BASE = _HEIGHT - _BOTTOM
_MOST_LABELS = 6
_LINE = 20


def pair(plot: Mapping[str, Any], title: str) -> Markup:
    """The shares of a baseline and of now, by bin (`edges`) or by `labels`, over each other."""
    reference, current = plot["reference"], plot["current"]
    if not reference:
        return Markup("")
    top = max(*reference, *current, 1e-9)
    step = _WIDTH / max(1, len(reference))
    gap = 0.5 if "edges" in plot else max(2.0, step * 0.12)
    bars = []
    for i, shares in enumerate(zip(reference, current, strict=True)):
        for kind, share in zip(("reference", "current"), shares, strict=True):
            left, width = i * step + gap, step - 2 * gap
            if "labels" in plot:
                left, width = left + (width / 2 if kind == "current" else 0), width / 2 - 1
            bars.append(_bar(kind, left, width, share / top * (_BASE - 6)))
    if "edges" in plot:
        heights = [share / top * (_BASE - 6) for share in reference]
        steps = [(x * step, _BASE - height) for i, height in enumerate(heights) for x in (i, i + 1)]
        texts = svg.course([(0, _BASE), *steps, (_WIDTH, _BASE)], "outline") + _edges(plot["edges"])
    else:
        texts = _labels(plot["labels"], step)
    return _svg("".join(bars) + _line("base", 0, _BASE) + texts, title)


def trend(values: Sequence[float | None], threshold: float | None, title: str) -> Markup:
    """The course of a value, oldest first, and the threshold that it should not cross."""
    known = [value for value in values if value is not None]
    if not known:
        return Markup("")
    top = max(*known, threshold or 0.0, 1e-9) * 1.1
    step = (_WIDTH - _LEFT - 4) / max(1, len(values) - 1)

    def y(value: float) -> float:
        return _BASE - max(0.0, value) / top * (_BASE - 6)

    points = [(_LEFT + i * step, y(v)) for i, v in enumerate(values) if v is not None]
    drawn = [
        _line("base", _LEFT, _BASE),
        svg.course(points, "trend"),
        svg.dot(*points[-1], 3.5, "dot"),
        svg.text(_LEFT, _HEIGHT - 4, "first", "start"),
        svg.text(_WIDTH, _HEIGHT - 4, "last run", "end"),
    ]
    if threshold is None or _BASE - y(threshold) > _LINE:
        drawn.append(svg.text(_LEFT - 6, _BASE + 4, "0", "end"))
    if threshold is not None:
        drawn += [
            _line("limit", _LEFT, y(threshold)),
            svg.text(_LEFT - 6, y(threshold) + 4, number_text(threshold), "end"),
        ]
    return _svg("".join(drawn), title)


def _edges(edges: Sequence[float]) -> str:
    last = len(edges) - 1
    places = ((0, "start"), (len(edges) // 2, "middle"), (last, "end"))
    return "".join(
        svg.text(i / last * _WIDTH, _HEIGHT - 5, number_text(edges[i]), side) for i, side in places
    )


def _labels(labels: Sequence[str], step: float) -> str:
    every = max(1, len(labels) // _MOST_LABELS) if step < 50 else 1
    most = max(3, int(step / 11)) * every
    return "".join(
        svg.text((i + 0.5) * step, _HEIGHT - 5, _short(label, most), "middle")
        for i, label in enumerate(labels)
        if i % every == 0
    )


def _bar(kind: str, left: float, width: float, height: float) -> str:
    return svg.bar(left, _BASE - height, max(width, 0.5), height, kind)


def _line(kind: str, left: float, y: float) -> str:
    return svg.line(left, y, _WIDTH, y, kind)


def _short(text: str, most: int) -> str:
    if len(text) > most:
        with suppress(ValueError):
            text = number_text(float(text))
    return text if len(text) <= most else text[: most - 1] + "…"


def _svg(content: str, title: str) -> Markup:
    box = f"0 0 {_WIDTH} {_HEIGHT}"
    return Markup(
        f'<svg class="plot" viewBox="{box}" role="img" aria-label="{escape(title)}">{content}</svg>'
    )
