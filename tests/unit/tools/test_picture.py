"""Pictures: PNG without a library agrees with Pillow, and fits what a model asks for."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sardonyx.tools.console import UserError
from sardonyx.tools.picture import fit, read_picture, resize

FLOAT = np.dtype(np.float32)


def filtered_png(pixels: np.ndarray) -> bytes:
    """A PNG whose rows use all five filters in turn."""
    height, width, channels = pixels.shape
    rows = pixels.reshape(height, -1).astype(np.int64)
    lines = []
    for y, row in enumerate(rows):
        up = rows[y - 1] if y else np.zeros_like(row)
        left = np.concatenate([np.zeros(channels, np.int64), row[:-channels]])
        corner = np.concatenate([np.zeros(channels, np.int64), up[:-channels]])
        guess = left + up - corner
        near = np.argmin([abs(guess - left), abs(guess - up), abs(guess - corner)], axis=0)
        predicted = [0 * row, left, up, (left + up) // 2, np.choose(near, [left, up, corner])][y % 5]
        lines.append(bytes([y % 5]) + ((row - predicted) % 256).astype(np.uint8).tobytes())

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    kind = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, kind, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(b"".join(lines))) + chunk(b"IEND", b"")


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_every_filter_is_undone(channels: int, tmp_path: Path, rng: np.random.Generator) -> None:
    pixels = rng.integers(0, 256, (11, 7, channels)).astype(np.uint8)
    file = tmp_path / "picture.png"
    file.write_bytes(filtered_png(pixels))
    with Image.open(file) as image:
        np.testing.assert_array_equal(np.asarray(image).reshape(11, 7, channels), pixels)
    np.testing.assert_array_equal(read_picture(file), pixels[..., : 3 if channels > 2 else 1])


def test_palettes_and_other_formats(tmp_path: Path, rng: np.random.Generator) -> None:
    pixels = rng.integers(0, 256, (6, 5, 3)).astype(np.uint8)
    image = Image.fromarray(pixels).quantize(16)
    image.save(tmp_path / "palette.png")
    np.testing.assert_array_equal(read_picture(tmp_path / "palette.png"), np.asarray(image.convert("RGB")))
    Image.fromarray(pixels).save(tmp_path / "picture.bmp")
    np.testing.assert_array_equal(read_picture(tmp_path / "picture.bmp"), pixels)


PNG = filtered_png(np.zeros((3, 3, 3), np.uint8))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"words", r"neither a \.npy file nor a picture"),
        (b"", r"neither a \.npy file nor a picture"),
        (PNG[:20], "breaks off or is damaged"),
        (PNG[:50], "breaks off or is damaged"),
        (PNG.replace(b"IDAT", b"JDAT"), "breaks off or is damaged"),
        (b"BM" + bytes(60), "neither|cannot be read"),
    ],
)
def test_what_is_no_picture_is_said(content: bytes, said: str, tmp_path: Path) -> None:
    (tmp_path / "x.png").write_bytes(content)
    with pytest.raises(UserError, match=said) as raised:
        read_picture(tmp_path / "x.png")
    assert "BytesIO" not in str(raised.value)
    with pytest.raises(UserError, match="Is a directory"):
        read_picture(tmp_path)


@pytest.mark.parametrize(
    ("shape", "fitted"),
    [
        ((1, 3, 4, 6), (1, 3, 4, 6)),
        ((None, 3, 20, None), (1, 3, 20, 40)),
        ((None, 3, None, None), (1, 3, 10, 20)),
        ((1, 4, 6, 3), (1, 4, 6, 3)),
        ((1, 1, 5, 5), (1, 1, 5, 5)),
        ((3, None, 8), (3, 4, 8)),
        ((5, 10), (5, 10)),
    ],
)
def test_fit(shape: tuple[int | None, ...], fitted: tuple[int, ...]) -> None:
    pixels = np.full((10, 20, 3), 51, np.uint8)
    values = fit(pixels, shape, FLOAT, 0.1, 0.5)
    assert values.shape == fitted
    assert values.dtype == FLOAT
    assert values.flags.c_contiguous
    np.testing.assert_allclose(values, 0.2, atol=1e-6)
    assert fit(pixels, shape, np.dtype(np.uint8), 0, 1).max() == 51


def test_resize_is_bilinear_between_centres() -> None:
    ramp = np.arange(4, dtype=np.float32).reshape(1, 4, 1)
    np.testing.assert_allclose(resize(ramp, 1, 8)[0, :, 0], [0, 0.25, 0.75, 1.25, 1.75, 2.25, 2.75, 3])
    np.testing.assert_allclose(resize(ramp, 2, 2)[:, :, 0], [[0.5, 2.5]] * 2)


@pytest.mark.parametrize("shape", [(1, 7, 4, 6), (5,), (1, 1, 3, 4, 4)])
def test_what_is_no_picture(shape: tuple[int, ...]) -> None:
    with pytest.raises(UserError):
        fit(np.zeros((4, 4, 3), np.uint8), shape, FLOAT, 0, 1)
