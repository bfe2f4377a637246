"""Pages are whole, what comes from outside is escaped, and marks stand where they belong."""

from __future__ import annotations

import re

import numpy as np

from sardonyx.train.drawing import EDGE, SIDE, curve, document, scatter, table


def test_texts_are_escaped() -> None:
    text = document("<title>", [table(("<head>",), [("<cell>",)])])
    assert text.startswith("<!doctype html>") and text.endswith("</html>\n")
    assert all(f"&lt;{word}&gt;" in text and f"<{word}></{word}>" not in text for word in ("head", "cell"))


def test_marks_stand_where_they_belong() -> None:
    spots = re.findall(r'cx="([\d.]+)" cy="([\d.]+)" r="([\d.]+)"', curve([(0.0, 0.0, 1), (1.0, 1.0, 4)]))
    assert [(float(x), float(y)) for x, y, _ in spots] == [(EDGE, SIDE - EDGE), (SIDE - 8, 8)]
    assert float(spots[1][2]) > float(spots[0][2])
    assert scatter(np.arange(10_000.0), np.arange(10_000.0)).count("<circle") < 2000
