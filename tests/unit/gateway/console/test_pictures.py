"""Pixels become tensors as an input holds them, and numbers become pictures again."""

from __future__ import annotations

import base64
import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from sardonyx.gateway.console.pictures import Layout, layout_of, picture_of, png, regions_of, tensor_of
from sardonyx.protocol.errors import ServeError
from sardonyx.serve.signature import Port

CHW = Layout(4, 1, 3, None, None)
RED_BLUE = bytes([255, 0, 0, 0, 0, 255])


@pytest.mark.parametrize(
    ("dims", "expected"),
    [
        (("N", 3, 224, 200), Layout(4, 1, 3, 224, 200)),
        ((1, "h", "w", 3), Layout(4, 3, 3, None, None)),
        ((1, 8, 8), Layout(3, 0, 1, 8, 8)),
        ((8, 9, 4), Layout(3, 2, 4, 8, 9)),
        (("N", None, None, None), Layout(4, 1, 3, None, None)),
        ((2, 3, 224, 224), None),
        ((1, 3, 2, 2), None),
        ((1, 7, 8, 8), None),
        ((3, 4), None),
    ],
)
def test_inputs_that_can_be_pictures(dims: tuple[Any, ...], expected: Layout | None) -> None:
    assert layout_of(Port("x", "FP32", dims)) == expected
    assert layout_of(Port("x", "INT64", dims)) is None


@pytest.mark.parametrize(
    ("scale", "red"), [("raw", 255), ("unit", 1), ("centred", 1), ("imagenet", (1 - 0.485) / 0.229)]
)
def test_colours_are_scaled(scale: str, red: float) -> None:
    found = tensor_of(RED_BLUE, 2, 1, CHW, np.float32, scale, "rgb")
    assert (found.shape, found.dtype) == ((1, 3, 1, 2), np.float32)
    np.testing.assert_allclose(found[0, 0, 0, 0], red, rtol=1e-6)


def test_axes_and_channels_are_those_of_the_input() -> None:
    last = tensor_of(RED_BLUE, 2, 1, Layout(4, 3, 3, None, None), np.uint8, "raw", "bgr")
    assert last.tolist() == [[[[0, 0, 255], [255, 0, 0]]]]
    grey = tensor_of(RED_BLUE, 2, 1, Layout(3, 0, 1, None, None), np.uint8, "raw", "rgb")
    assert grey.tolist() == [[[76, 29]]]
    opaque = tensor_of(RED_BLUE, 2, 1, Layout(3, 2, 4, None, None), np.float32, "unit", "rgb")
    assert opaque[..., 3].tolist() == [[1, 1]]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((RED_BLUE, 3, 1, CHW), "6 bytes are not a picture of 3 x 1 pixels"),
        ((b"", 0, 0, CHW), "0 bytes are not a picture"),
        ((RED_BLUE, 2, 1, Layout(4, 1, 3, 4, None)), "the picture is 1 pixels high, the model takes 4"),
        ((RED_BLUE, 2, 1, Layout(4, 1, 3, None, 4)), "the picture is 2 pixels wide, the model takes 4"),
    ],
)
def test_what_is_no_such_picture_is_refused(arguments: Any, message: str) -> None:
    with pytest.raises(ServeError, match=message):
        tensor_of(*arguments, np.float32, "unit", "rgb")
    with pytest.raises(
        ServeError, match="'odd' is not a way to scale; there are imagenet, unit, centred, raw"
    ):
        tensor_of(RED_BLUE, 2, 1, CHW, np.float32, "odd", "rgb")


def decoded(url: str) -> Any:
    head, _, data = url.partition(",")
    assert head == "data:image/png;base64"
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(data))))


def test_a_png_holds_its_pixels() -> None:
    pixels = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    np.testing.assert_array_equal(decoded(png(pixels)), pixels)


@pytest.mark.parametrize(
    ("values", "expected"),
    [([[0, 255]], [0, 255]), ([[0, 1]], [0, 255]), ([[-1, 1]], [0, 255]), ([[np.nan, 1]], [0, 255])],
)
def test_the_range_of_a_picture_is_guessed(values: Any, expected: list[int]) -> None:
    assert decoded(picture_of(np.float32(values)))[0, :, 0].tolist() == expected


def test_classes_have_colours_and_the_largest_come_first() -> None:
    url, found = regions_of(np.array([[7, 7, 7], [0, 0, 3]]))
    assert found == [7, 0, 3]
    pixels = decoded(url)
    assert pixels[1, 0].tolist() == [24, 24, 24]
    assert len({tuple(p) for p in pixels.reshape(-1, 3).tolist()}) == 3
