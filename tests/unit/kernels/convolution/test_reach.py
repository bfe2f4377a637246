"""What a call knows of the image in the middle of zeros, and that it stays what it is at any size."""

from __future__ import annotations

import numpy as np
import pytest

from sardonyx.base import dtype as dt
from sardonyx.ir.value import Value, const, make, placeholder, scalar
from sardonyx.kernels.arguments import Conv
from sardonyx.kernels.convolution.reach import reach_words


def anchor(
    fill: float = 0, like: float = 1, window: tuple[int, int] = (3, 3), missing: tuple[int, int] | None = None
) -> Value:
    x = placeholder("x", dt.F32, (1, 2, 7, 9, 16))
    around = (0, 0, 2, 3, 0)
    source = x if missing else x.pad(around, around, scalar(fill, dt.F32))
    w = const(np.full((16, 32, *window), like, np.float32))
    attrs = {"strides": (1, 2), "dilations": (2, 3), "group": 1, "channels": 16, "block": 16}
    attrs |= {"missing": missing} if missing else {}
    return make("conv_blocked", (source, w), attrs, dt.F32, (1, 1, 7, 5, 16))


LINES = {Conv.ABOVE: 2, Conv.HEIGHT: 7, Conv.LINE_STEP: 1, Conv.TAP_LINES: 2}
PIXELS = {Conv.BEFORE: 3, Conv.WIDTH: 9, Conv.PIXEL_STEP: 2, Conv.TAP_PIXELS: 3}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (anchor(), {Conv.ALONE: 0, **LINES, **PIXELS}),
        (anchor(fill=-0.0), {Conv.ALONE: 0, **LINES, **PIXELS}),
        (anchor(window=(1, 3)), {Conv.ALONE: 0, **PIXELS}),
        (anchor(missing=(2, 3)), {Conv.ALONE: 1, **LINES, **PIXELS}),
        (anchor(missing=(7, 3)), {Conv.ALONE: 0, **LINES, **PIXELS, Conv.ABOVE: 7}),
        (anchor(fill=1), {}),
        (anchor(like=np.inf), {}),
        (anchor(like=np.nan), {}),
    ],
    ids=["zeros", "negative", "one line", "missing", "all missing", "ones", "infinite", "nan"],
)
def test_words(value: Value, expected: dict[int, int]) -> None:
    assert reach_words(value) == expected
