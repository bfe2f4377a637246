"""Files of numpy are read whole, or it is said what is wrong with them."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sardonyx.base.stored import read_npy, read_npz
from tests.runnable import examples


def test_arrays_come_back(tmp_path: Path) -> None:
    x, y = np.arange(6, dtype=np.int16).reshape(2, 3), np.float32(4)
    np.savez(tmp_path / "a.npz", x=x, y=y)
    found = read_npz(tmp_path / "a.npz")
    assert set(found) == {"x", "y"}
    np.testing.assert_array_equal(found["x"], x, strict=True)
    assert found["y"].shape == ()
    np.save(tmp_path / "x.npy", x)
    np.testing.assert_array_equal(read_npy(tmp_path / "x.npy"), x, strict=True)


def spoilt(path: Path) -> bytes:
    np.savez(path, x=np.zeros(3000))
    data = bytearray(path.read_bytes())
    data[400:500] = b"z" * 100
    return bytes(data)


@pytest.mark.parametrize("read", [read_npz, read_npy])
@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "damaged"),
        (b"PK\x03\x04junk", "damaged"),
        (b"hello world", "pickle"),
        (None, "damaged: Bad CRC"),
    ],
    ids=["nothing", "a torn archive", "text", "other content"],
)
def test_what_is_no_such_file_is_told(
    tmp_path: Path, read: Callable[[Path], Any], data: bytes | None, message: str
) -> None:
    path = tmp_path / "a.npz"
    path.write_bytes(spoilt(path) if data is None else data)
    with pytest.raises(ValueError, match=message):
        read(path)


@pytest.mark.parametrize("write", [np.savez, np.savez_compressed])
def test_whatever_is_damaged_in_an_archive_is_told(tmp_path: Path, write: Callable[..., None]) -> None:
    path, random = tmp_path / "a.npz", np.random.default_rng(0)
    write(path, x=np.arange(300), y=np.arange(7.0))
    whole, refused, count = np.frombuffer(path.read_bytes(), np.uint8), 0, examples(100, 400)
    for _ in range(count):
        data = whole.copy()
        data[random.integers(0, len(data), 2)] = random.integers(0, 256, 2)
        path.write_bytes(data.tobytes())
        try:
            read_npz(path)
        except ValueError:
            refused += 1
    assert refused > count / 2


def test_arrays_that_would_be_too_large_are_not_read(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    np.savez_compressed(path, x=np.zeros(100_000), y=np.zeros(100_000))
    assert path.stat().st_size < 10_000 and len(read_npz(path, 1_700_000)) == 2
    with pytest.raises(ValueError, match="1500000 are allowed"):
        read_npz(path, 1_500_000)


@pytest.mark.parametrize("read", [read_npz, read_npy])
def test_a_head_that_tells_of_more_than_any_memory_is_told(
    tmp_path: Path, read: Callable[[Path], Any]
) -> None:
    head = io.BytesIO()
    facts = {"descr": "<f8", "fortran_order": False, "shape": (1 << 50,)}
    np.lib.format.write_array_header_1_0(head, facts)
    path = tmp_path / "a"
    path.write_bytes(head.getvalue())
    if read is read_npz:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("x.npy", head.getvalue())
    with pytest.raises(ValueError):
        read(path)


def test_objects_are_not_unpickled(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=np.array([{}], object))
    with pytest.raises(ValueError, match="Object arrays cannot be loaded"):
        read_npz(tmp_path / "a.npz")


def test_one_array_is_no_archive_and_the_other_way_round(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.zeros(2))
    np.savez(tmp_path / "a.npz", np.zeros(2))
    with pytest.raises(ValueError, match=r"write it with numpy\.savez"):
        read_npz(tmp_path / "a.npy")
    with pytest.raises(ValueError, match=r"write one with numpy\.save$"):
        read_npy(tmp_path / "a.npz")


def test_a_header_whose_brackets_never_close(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.zeros(3))
    data = (tmp_path / "x.npy").read_bytes()
    (tmp_path / "x.npy").write_bytes(data.replace(b"(3,)", b"(3, "))
    with pytest.raises(ValueError, match="it is damaged"):
        read_npy(tmp_path / "x.npy")
