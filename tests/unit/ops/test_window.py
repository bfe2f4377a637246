"""Windows lie where a loop that walks over the padded data would put them, whatever rounding is asked for."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sardonyx.base import dim as dims
from sardonyx.errors import ShapeError
from sardonyx.ops.window import Sliding, Steps, Window
from tests.runnable import examples

sizes = st.integers(1, 12)
small = st.integers(1, 4)


def starts(n: int, extent: int, step: int, low: int, high: int, ceil: bool) -> list[int]:
    """Where windows begin, by ONNX's words: all that fit, and with ceil one more unless in pads alone."""
    found = [p for p in range(-low, n + high) if (p + low) % step == 0 and p + extent <= n + high]
    if ceil:
        following = (found[-1] if found else -low - step) + step
        reach = found[-1] + extent if found else -low
        if reach < n + high and following < n:
            found.append(following)
    return found


@settings(max_examples=examples(100, 300), deadline=None)
@given(sizes, small, small, st.integers(1, 3), st.integers(0, 3), st.integers(0, 3), st.booleans())
def test_positions(n: int, kernel: int, step: int, gap: int, low: int, high: int, ceil: bool) -> None:
    extent = (kernel - 1) * gap + 1
    if n + low + high < extent or (ceil and low + high >= extent):
        return
    w = Window.of((n,), (kernel,), Steps((gap,), (low, high), (step,)), int(ceil))
    expected = starts(n, extent, step, low, high, ceil)
    assert w.out == (len(expected),)
    assert w.low == (low,)
    last = expected[-1] + extent
    assert w.high == ((last - n,) if ceil else (high,))
    assert w.asked == (high,)
    assert w.past_pads == (w.high[0] > high)


@settings(max_examples=100, deadline=None)
@given(sizes, small, small, st.sampled_from(["SAME_UPPER", "SAME_LOWER"]))
def test_same_gives_one_window_a_stride(n: int, kernel: int, step: int, mode: str) -> None:
    w = Window.of((n,), (kernel,), Sliding(strides=(step,), auto_pad=mode))
    assert w.out == (math.ceil(n / step),)
    total = max((w.out[0] - 1) * step + kernel - n, 0)
    less, more = total // 2, total - total // 2
    assert (w.low[0], w.high[0]) == ((less, more) if mode == "SAME_UPPER" else (more, less))


def test_sizes_may_be_unknown() -> None:
    n = dims.symbol("N")
    w = Window.of((n, 5), (3, 3), Steps(strides=(2, 1), pads=(1, 0, 1, 0)))
    assert w.out == (dims.floordiv(n - 1, 2) + 1, 3)
    assert w.padded
    assert not Window.of((n,), (3,), Sliding(auto_pad="VALID", pads=(1, 1))).padded


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"strides": (1,)}, "strides"),
        ({"dilations": (1, 1, 1)}, "dilations"),
        ({"pads": (1, 1)}, "pads"),
        ({"strides": (0, 1)}, "must be positive"),
        ({"dilations": (1, -1)}, "must be positive"),
        ({"auto_pad": "SAME"}, "auto_pad"),
    ],
)
def test_attributes_that_do_not_fit(wrong: dict[str, object], said: str) -> None:
    with pytest.raises(ShapeError, match=said):
        Window.of((5, 5), (3, 3), Sliding(**wrong))  # type: ignore[arg-type]


def test_kernels_that_do_not_fit() -> None:
    with pytest.raises(ShapeError, match="kernel_shape"):
        Window.of((5, 5), (3,))
    with pytest.raises(ShapeError, match="must not be negative"):
        Window.of((5,), (-1,))


@pytest.mark.parametrize("ceil_mode", [0, 1])
@pytest.mark.parametrize(
    ("size", "kernel", "pads", "step"), [(0, 2, (0, 1), 3), (0, 5, (1, 0), 2), (1, 9, (0, 0), 2)]
)
def test_no_more_is_cut_off_an_axis_than_it_has(
    size: int, kernel: int, pads: tuple[int, int], step: int, ceil_mode: int
) -> None:
    window = Window.of((size,), (kernel,), Steps(pads=pads, strides=(step,)), ceil_mode, cut=True)
    assert window.out == (0,)
    assert size + int(window.low[0]) + int(window.high[0]) >= 0
