"""A training on boxes as one HTML page: how good on unseen pictures, and these with their boxes drawn."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

import numpy as np

from sardonyx.base import svg
from sardonyx.train.drawing import document, table
from sardonyx.vision.boxes.training import TrainedBoxes
from sardonyx.vision.pictures import inline, opened

MOST_SHOWN, SIDE = 24, 320
STYLE = """<style>
.pictures { display: grid; grid-template-columns: repeat(auto-fill, minmax(15rem, 1fr)); gap: 1rem }
figure { margin: 0 } figure svg { width: 100%; background: #8882 }
figcaption { font-size: .8rem; overflow-wrap: anywhere }
svg .true { fill: none; stroke: #fff; stroke-width: 2; stroke-dasharray: 4 3; paint-order: stroke }
svg .told { fill: none; stroke: #ff9d00; stroke-width: 2 }
figure svg text { fill: #000; font-size: 11px } svg .name { fill: #ff9d00 }
</style>"""


def page(trained: TrainedBoxes, title: str, names: Mapping[str, str] | None = None) -> str:
    """The HTML text."""
    scenes, settings = trained.scenes, trained.settings
    count = sum(len(row) for row in scenes.kinds)
    held = scenes.held.any()
    how = (
        "The pictures that the data set keeps for it were judged by a head that learned from all others."
        if held
        else "Every picture was judged by a head that learned from other ones, in three folds."
    )
    parts = [
        STYLE,
        f"<h1>{escape(title)}</h1>",
        f"<p>{count} boxes of {len(scenes.classes)} classes on {len(scenes.files)} pictures; maps by "
        f"{escape(settings.backbone)}, {settings.views} views of each; maps took "
        f"{trained.seconds[0]:.1f} s, all else {trained.seconds[1]:.1f} s.</p>",
        *(f'<p class="doubt">{escape(text)}</p>' for text in scenes.warnings),
        "<h2>On pictures that it never saw</h2>",
        f"<p>{how}</p>",
        table(
            ("measure", "value"),
            (
                ("AP (COCO: mean over overlaps of 0.50 to 0.95)", f"{trained.precision.mean:.1%}"),
                ("AP50 (boxes that overlap by half)", f"{trained.precision.at_half:.1%}"),
                (
                    f"recall: true boxes found, with scores from {trained.told:.2f} on",
                    f"{trained.recall:.1%}",
                ),
                ("precision: found boxes that are right", f"{trained.right:.1%}"),
            ),
        ),
        _classes(trained),
        "<h2>Unseen pictures, the worst first</h2>",
        "<p>Drawn boxes are dashed, found ones are solid.</p>",
        _pictures(trained, names or {}),
        "<h2>As ONNX</h2>",
        f"<p>Scores differ by {trained.error:.1e} at most from those of the head in double precision.</p>",
    ]
    return document(title, parts)


def _classes(trained: TrainedBoxes) -> str:
    rows = [
        (name, str(trained.precision.counts[at]), *(_share(row[k]) for k in (0, 5)), _share(row.mean()))
        for at, (name, row) in enumerate(zip(trained.scenes.classes, trained.precision.table, strict=True))
    ]
    return table(("class", "true boxes", "AP50", "AP75", "AP"), rows)


def _share(value: float) -> str:
    return "-" if np.isnan(value) else f"{value:.1%}"


def _pictures(trained: TrainedBoxes, called: Mapping[str, str]) -> str:
    order = sorted(range(len(trained.judged)), key=lambda at: -trained.faults(at))
    figures = "".join(_figure(trained, at, called) for at in order[:MOST_SHOWN])
    return f'<div class="pictures">{figures}</div>'


def _figure(trained: TrainedBoxes, at: int, called: Mapping[str, str]) -> str:
    names, file = trained.scenes.classes, trained.scenes.files[trained.judged[at]]
    pixels = opened(file, SIDE)
    height, width = pixels.shape[:2]
    scale = SIDE / max(height, width)
    wide, high = width * scale, height * scale
    true, told = trained.true(trained.judged[at]), trained.shown(at)
    marks = [_mark("true", corners * [wide, high, wide, high]) for corners in true.corners]
    for corners, kind, score in zip(told.corners, told.kinds, told.scores, strict=True):
        marks.append(_mark("told", corners * [wide, high, wide, high], f"{names[kind]} {score:.0%}"))
    words = (
        f"{called.get(file.name, file.name)}: drawn {_listed([names[kind] for kind in true.kinds])}, "
        f"found {_listed([names[kind] for kind in told.kinds])}"
    )
    return (
        f'<figure><svg viewBox="0 0 {wide:.0f} {high:.0f}" role="img" aria-label="{escape(words)}">'
        f'<image href="{inline(pixels, SIDE)}" width="{wide:.0f}" height="{high:.0f}"/>{"".join(marks)}</svg>'
        f"<figcaption>{escape(words)}</figcaption></figure>"
    )


def _mark(kind: str, corners: np.ndarray, words: str = "") -> str:
    left, top, right, bottom = (float(side) for side in corners)
    box = svg.bar(left, top, right - left, bottom - top, kind)
    if not words:
        return box
    above = max(top, 13)
    ground = svg.bar(left, above - 13, 6.2 * len(words) + 4, 13, "name")
    return box + ground + svg.text(left + 2, above - 3, words)


def _listed(names: list[str]) -> str:
    return ", ".join(f"{names.count(name)} {name}" for name in sorted(set(names))) or "nothing"
