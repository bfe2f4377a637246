"""Pictures come out upright and in 8 bits, whatever their files say of themselves."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageOps

from sardonyx.vision.pictures import size_of
from sardonyx.zoo.tasks.images import flat, opened, upright_size

SHADES = np.linspace(0, 255, 20 * 40).reshape(20, 40)
PLAIN = Image.fromarray(np.stack([SHADES, SHADES[:, ::-1], SHADES * 0], 2).astype(np.uint8))


def head(kind: int, count: int, value: bytes) -> bytes:
    """EXIF of an orientation alone."""
    return b"Exif\0\0II*\0" + struct.pack("<IHHHI", 8, 1, 274, kind, count) + value + bytes(4)


@pytest.mark.parametrize("suffix", ["png", "webp", "tif"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_upright_as_pillow_turns_it(orientation: int, suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"turned.{suffix}"
    told = (
        {"tiffinfo": {274: orientation}}
        if suffix == "tif"
        else {"exif": head(3, 1, bytes([orientation] + [0] * 3))}
    )
    PLAIN.save(path, **told, **({"lossless": True} if suffix == "webp" else {}))
    with Image.open(path) as image:
        expected = ImageOps.exif_transpose(image)
        assert np.array_equal(np.asarray(opened(path)), np.asarray(expected))
    assert size_of(path) == expected.size


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp"])
@pytest.mark.parametrize(
    "broken",
    [
        *(
            head(3, 1, b"\xff\xff\0\0"),
            head(2, 4, b"abc\0"),
            head(5, 1000, b"\6\0\0\0"),
            head(12, 2**31, b"\6" * 4),
        ),
        *(head(3, 1, b"\6\0\0\0")[:length] for length in (5, 7, 11, 15, 25)),
        b"Exif\0\0XX*\0" + bytes(20),
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_a_broken_orientation_is_none(broken: bytes, suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"broken.{suffix}"
    PLAIN.save(path, exif=broken)
    assert opened(path).size == size_of(path) == (40, 20)


@pytest.mark.parametrize(
    ("array", "suffix"),
    [
        ((SHADES * 257).astype(np.uint16), "png"),
        ((SHADES * 257).astype(np.uint16), "tif"),
        ((SHADES * 257).astype(np.int32), "tif"),
        (SHADES.astype(np.int32), "tif"),
        ((SHADES / 255).astype(np.float32), "tif"),
        (SHADES.astype(np.float32), "tif"),
        ((SHADES / 255 * 1e6).astype(np.float32), "tif"),
    ],
)
def test_wide_numbers_keep_their_shades(array: Any, suffix: str, tmp_path: Path) -> None:
    Image.fromarray(array).save(tmp_path / f"wide.{suffix}")
    found = np.asarray(opened(tmp_path / f"wide.{suffix}"), np.float64)
    assert found.shape == (20, 40, 3)
    np.testing.assert_allclose(found, np.stack([SHADES] * 3, 2), atol=1)


def test_numbers_that_are_none() -> None:
    strange = np.array([[np.nan, np.inf, -np.inf, 1.0, 0.5]], np.float32)
    assert np.asarray(flat(Image.fromarray(strange)))[0, :, 0].tolist() == [0, 0, 0, 255, 128]
    assert upright_size(Image.fromarray(strange)) == (5, 1)
