"""Which values become more than they were, and have one reader that may ask for them in plain layout."""

from __future__ import annotations

import pytest

from sardonyx.passes.grown import grown
from tests.unit.passes.graphs import parse

RESIZED = 'r = Resize <mode = "{mode}", coordinate_transformation_mode = "asymmetric"> (x, , , s)'


def count(size: str, to: str, mode: str = "nearest", more: str = "") -> int:
    """How many values grow where `x` gets a size."""
    result = "y" if more else "r"
    body = f"{RESIZED.format(mode=mode)} {more}"
    text = f"g (float[{size}] x) => (float[A,B,C,D] {result}) <int64[4] s = {{{to}}}> {{ {body} }}"
    return len(grown(parse(text)))


@pytest.mark.parametrize("mode", ["nearest", "linear"])
def test_a_resize_to_more_lines_and_pixels_grows(mode: str) -> None:
    assert count("1,3,4,4", "1,3,9,10", mode) > 0


def test_one_to_fewer_does_not() -> None:
    assert count("1,3,9,10", "1,3,4,4") == 0


def test_nor_does_what_two_read() -> None:
    one = count("1,3,4,4", "1,3,9,10", more="y = Relu(r)")
    two = count("1,3,4,4", "1,3,9,10", more="a = Relu(r) b = Relu(r) y = Mul(a, r)")
    assert one > two


def test_a_graph_without_gathering_has_none() -> None:
    assert grown(parse("g (float[1,3,4,4] x) => (float[1,3,4,4] y) { y = Relu(x) }")) == frozenset()
