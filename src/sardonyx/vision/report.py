"""A training on pictures as one HTML page, the pictures that were mistaken in it."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

import numpy as np

from sardonyx.train.drawing import curve, document, table
from sardonyx.train.scores import calibration, confusion
from sardonyx.vision.pictures import inline, opened
from sardonyx.vision.training import Trained

Array = np.ndarray[Any, Any]
MOST_SHOWN, SIDE = 60, 128
STYLE = """<style>
.pictures { display: flex; flex-wrap: wrap; gap: .8rem } figure { margin: 0; width: 8.5rem }
figure img { width: 128px; height: 128px; object-fit: contain; background: #8882 }
figcaption { font-size: .8rem; overflow-wrap: anywhere }
</style>"""


def page(trained: Trained, title: str, names: Mapping[str, str] | None = None) -> str:
    """The HTML text; `names` are what pictures are called, by the names of their files."""
    pictures, settings = trained.pictures, trained.settings
    parts = [
        STYLE,
        f"<h1>{escape(title)}</h1>",
        f"<p>{len(pictures.files)} pictures of {len(trained.classes)} classes; features by "
        f"{escape(settings.backbone)}, {settings.views} views of each; features took "
        f"{trained.seconds[0]:.1f} s, all else {trained.seconds[1]:.1f} s.</p>",
        *(f'<p class="doubt">{escape(text)}</p>' for text in pictures.warnings),
        "<h2>On pictures that it never saw</h2>",
        "<p>Every picture is judged by a head that learned from other ones, in five folds.</p>",
        table(
            ("measure", "value", "95 of 100 draws"),
            ((row.name, f"{row.value:.4g}", f"{row.low:.4g} to {row.high:.4g}") for row in trained.scores),
        ),
        _classes(trained),
        *_plots(trained),
        "<h2>Mistaken, the surest first</h2>",
        _mistaken(trained, names or {}),
        "<h2>None of these</h2>",
        f"<p>{trained.refused.mean():.1%} of the unseen pictures would be taken for none of these: they "
        "are stranger than 99 of 100. What is quite unlike all is answered so, too; what is near a class is "
        "not. Pictures in a folder <code>none of these</code> teach it what you mean.</p>",
        "<h2>As ONNX</h2>",
        f"<p>Probabilities differ by {trained.error:.1e} at most, on {trained.compared} pictures.</p>",
    ]
    return document(title, parts)


def _classes(trained: Trained) -> str:
    """Each class: how many there are, how many were found, and how many said to be so are."""
    if trained.pictures.several:
        said = trained.chances > 0.5
    else:
        said = np.eye(len(trained.classes), dtype=bool)[trained.chances.argmax(1)]
    rows = []
    for at, name in enumerate(trained.classes):
        right = int((said[:, at] & trained.truth[:, at]).sum())
        there, told = int(trained.truth[:, at].sum()), int(said[:, at].sum())
        rows.append((name, str(there), f"{right / max(there, 1):.1%}", f"{right / max(told, 1):.1%}"))
    return table(("class", "pictures", "found", "right when said"), rows)


def _plots(trained: Trained) -> list[str]:
    if trained.pictures.several:
        return []
    known = np.array(trained.classes)
    truth, best = known[trained.truth.argmax(1)], known[trained.chances.argmax(1)]
    counts = confusion(truth, best, trained.classes)
    rows = ((name, *(str(count) for count in row)) for name, row in zip(trained.classes, counts, strict=True))
    return [
        "<h2>What was, and what was said</h2>",
        table(("was", *trained.classes), rows),
        "<h2>How sure it was, and how often right</h2>",
        curve(calibration(truth, trained.chances, trained.classes)),
    ]


def _mistaken(trained: Trained, names: Mapping[str, str]) -> str:
    wrong = trained.wrong()
    if not wrong:
        return "<p>None was.</p>"
    figures = "".join(_figure(trained, at, names) for at in wrong[:MOST_SHOWN])
    more = f"<p>and {len(wrong) - MOST_SHOWN} more</p>" if len(wrong) > MOST_SHOWN else ""
    return f'<div class="pictures">{figures}</div>{more}'


def _figure(trained: Trained, at: int, called: Mapping[str, str]) -> str:
    file, row = trained.pictures.files[at], trained.chances[at]
    names = np.array(trained.classes)
    was = ", ".join(names[trained.truth[at]]) or "none"
    if trained.pictures.several:
        said = ", ".join(f"{names[k]} {row[k]:.0%}" for k in np.flatnonzero(row > 0.5)) or "none"
    else:
        said = f"{names[row.argmax()]} {row.max():.0%}"
    words = f"{called.get(file.name, file.name)}: {was}, taken for {said}"
    return (
        f'<figure><img src="{inline(opened(file, SIDE), SIDE)}" alt="{escape(words)}">'
        f"<figcaption>{escape(words)}</figcaption></figure>"
    )
