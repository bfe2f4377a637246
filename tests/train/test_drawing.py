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


def test_both_axes_have_the_numbers_of_their_ends() -> None:
    for drawn, ends in (
        (scatter(np.array([-123456.0, 7.5]), np.array([3.0, 2e-9])), ("-1.235e+05", "7.5")),
        (curve([(0.5, 0.5, 1)]), ("0", "1")),
    ):
        labels = re.findall(r'<text x="([\d.]+)" y="([\d.]+)" text-anchor="\w+">([^<]+)<', drawn)
        places = [(float(x), float(y), text) for x, y, text in labels]
        for text in ends:
            assert sum(of == text and x >= EDGE and y > SIDE - EDGE for x, y, of in places) == 1
            assert sum(of == text and x < EDGE and y <= SIDE - EDGE for x, y, of in places) == 1
