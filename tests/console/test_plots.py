"""Drawings of the console as SVG: histograms over each other, the course of a value."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest

from sardonyx.gateway.console.plots import pair, trend


def numbers(svg: str, element: str, attribute: str) -> list[float]:
    return [float(row.attrib[attribute]) for row in ElementTree.fromstring(svg).iter(element)]


def test_bins_have_the_heights_of_their_shares_and_stand_in_their_order() -> None:
    svg = str(pair({"reference": [0.25, 0.75], "current": [0.5, 0.0], "edges": [0, 1, 2]}, "a <b>"))
    heights = numbers(svg, "rect", "height")
    assert heights == pytest.approx(
        [0.25 / 0.75 * heights[2], 0.5 / 0.75 * heights[2], heights[2], 0], abs=0.1
    )
    assert numbers(svg, "rect", "x") == sorted(numbers(svg, "rect", "x"))
    assert 'aria-label="a &lt;b&gt;"' in svg
    assert [row.text for row in ElementTree.fromstring(svg).iter("text")] == ["0", "1", "2"]


def test_categories_stand_side_by_side_with_their_names() -> None:
    svg = str(pair({"reference": [1.0], "current": [1.0], "labels": ["<script>"]}, "t"))
    left, right = numbers(svg, "rect", "x")
    (width, _) = numbers(svg, "rect", "width")
    assert left + width <= right
    assert re.search(r"&lt;script&gt;", svg)


def test_nothing_to_draw_is_nothing() -> None:
    for more in ({"edges": []}, {"labels": []}):
        assert pair({"reference": [], "current": [], **more}, "t") == ""
    assert trend([None, None], 1.0, "t") == ""


def test_a_course_stays_inside_and_shows_its_threshold() -> None:
    svg = str(trend([0.1, None, -1.0, 0.4], 0.2, "t"))
    assert len(re.findall(r"[ML][\d.]+", svg)) == 3
    (limit,) = (
        float(r.attrib["y1"]) for r in ElementTree.fromstring(svg).iter("line") if r.get("class") == "limit"
    )
    assert 0 < limit < 134
    assert all(0 <= y <= 134 for y in numbers(svg, "circle", "cy"))
