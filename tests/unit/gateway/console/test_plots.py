"""Drawings keep inside their frame, in proportion, and show no text that a name could smuggle in."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sardonyx.gateway.console.plots import pair, trend

share = st.floats(0, 1)


def heights(text: str, kind: str) -> list[float]:
    return [float(h) for h in re.findall(rf'class="{kind}"[^>]*height="([\d.]+)"', text)]


@given(st.lists(st.tuples(share, share), min_size=1, max_size=30))
def test_bars_are_in_proportion_and_inside(drawn: list[tuple[float, float]]) -> None:
    reference, current = ([bar[n] for bar in drawn] for n in (0, 1))
    edges = [float(n) for n in range(len(reference) + 1)]
    text = pair({"reference": reference, "current": current, "edges": edges}, "t")
    found = heights(text, "reference") + heights(text, "current")
    top = max(*reference, *current, 1e-9)
    assert found == pytest.approx(
        [s / top * max(found or [1]) if max(found) else 0 for s in reference + current], abs=0.11
    ) or (max(reference + current) < 1e-9)
    for box in ElementTree.fromstring(text).iter("rect"):
        x, y, width, height = (float(box.attrib[n]) for n in ("x", "y", "width", "height"))
        assert x >= 0 and x + width <= 480.6
        assert y >= 0 and y + height <= 160


def test_texts_are_escaped() -> None:
    plot = {"reference": [0.5, 0.5], "current": [1.0, 0.0], "labels": ["<b>", '"&']}
    text = pair(plot, '<script>"')
    assert "<b>" not in text
    assert "<script>" not in text
    texts = [node.text for node in ElementTree.fromstring(text).iter("text")]
    assert texts == ["<b>", '"&']


def test_a_course() -> None:
    assert trend([], 1.0, "t") == ""
    assert trend([None], 1.0, "t") == ""
    text = trend([0.0, None, 1.0], 0.5, "t")
    (path,) = re.findall(r' d="M([^"]+)"', text)
    (x0, y0), (x1, y1) = (map(float, point.split()) for point in path.split(" L"))
    assert x0 < x1
    assert y0 > y1 > 0
    (limit,) = re.findall(r'class="limit"[^>]*y1="([\d.]+)"', text)
    assert y1 < float(limit) < y0
    assert "limit" not in trend([1.0], None, "t")


def test_the_baseline_is_outlined_over_the_bars_that_hide_it() -> None:
    text = pair({"reference": [0.5, 1.0], "current": [1.0, 1.0], "edges": [0, 1, 2]}, "t")
    (path,) = re.findall(r'class="outline" d="M([^"]+)"', text)
    points = [tuple(map(float, point.split())) for point in path.split(" L")]
    base, low, high = points[0][1], points[1][1], points[3][1]
    assert [x for x, _ in points] == [0, 0, 240, 240, 480, 480]
    assert base - high == pytest.approx(2 * (base - low))
