"""What runs in ONNX's reference evaluator follows the specification where the evaluator does not."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest

from sardonyx.frontend.corrected import decoded, sliced
from tests.unit.runtime.programs import model, program

X = np.arange(12).reshape(3, 4)
FAR = 2**62


@pytest.mark.parametrize(
    ("start", "end", "step", "rows"),
    [
        (-4, -9, -1, [0]),
        (-FAR, -FAR, -2, [0]),
        (9, -9, -1, [2, 1, 0]),
        (FAR, 0, -1, [2, 1]),
        (-FAR, FAR, 2, [0, 2]),
        (2, 0, 1, []),
        (0, -9, 1, []),
        (0, 2, -1, []),
    ],
)
def test_bounds_of_a_slice_are_clamped(start: int, end: int, step: int, rows: list[int]) -> None:
    found = sliced(X, *(np.array([n]) for n in (start, end, 0, step)))
    np.testing.assert_array_equal(found, X[rows])


def test_axes_and_steps_of_a_slice_may_be_left_out() -> None:
    starts, ends = np.array([1, -3]), np.array([FAR, 3])
    np.testing.assert_array_equal(sliced(X, starts, ends), X[1:, 1:3])
    np.testing.assert_array_equal(sliced(X, starts[:1], ends[:1], None, np.array([2])), X[1::2])


def test_steps_that_are_known_only_in_an_iteration() -> None:
    text = """g (float[N,3] x, int64 n, int64[1] s) => (float[?,?,?] y) {
        zero = Constant<value_ints = [0]>() minus = Constant<value_ints = [-9]>()
        y = Loop (n, "") <body = b (int64 i, bool c) => (bool d, float[?,?] r) {
            d = Identity(c) step = Sub(s, i) r = Slice(x, minus, minus, zero, step) }> }"""
    x = np.float32([[1, 2, 3], [4, 5, 6]])
    (y,) = program(model(text)).run((x, np.array(2), np.array([-1])), (0,))
    np.testing.assert_array_equal(y, [x[:1], x[:1]])


@pytest.mark.parametrize("mode", ["L", "LA", "P", "RGBA"])
def test_pictures_have_the_channels_that_are_asked_for(mode: str) -> None:
    image = pytest.importorskip("PIL.Image")
    picture, file = image.new(mode, (3, 2)), BytesIO()
    picture.putpixel((2, 1), 1)
    picture.save(file, "PNG")
    encoded = np.frombuffer(file.getvalue(), np.uint8)
    colours = np.asarray(picture.convert("RGB"))
    np.testing.assert_array_equal(decoded(encoded, "RGB"), colours)
    np.testing.assert_array_equal(decoded(encoded, "BGR"), colours[..., ::-1])
    np.testing.assert_array_equal(decoded(encoded, "Grayscale")[..., 0], np.asarray(picture.convert("L")))
