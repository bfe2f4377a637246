"""Arrays inside a mapped file know where they lie, and still hold their content once its pages are let go."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sardonyx.base.mapped import MappedFile, let_go, map_file, place_of

CONTENT = np.arange(1 << 16, dtype=np.float32)


@pytest.fixture
def file(tmp_path: Path) -> MappedFile:
    """A file of numbers."""
    (tmp_path / "x.data").write_bytes(CONTENT.tobytes())
    mapped = map_file(tmp_path / "x.data")
    assert isinstance(mapped, MappedFile)
    return mapped


def test_places(file: MappedFile) -> None:
    whole = np.frombuffer(memoryview(file), np.float32)
    assert place_of(whole) == (file, 0)
    assert place_of(whole[100:200].reshape(10, 10)) == (file, 400)
    assert place_of(np.frombuffer(memoryview(file)[64:128], np.float64)) == (file, 64)
    assert place_of(whole[::2]) is None
    assert place_of(whole.copy()) is None
    assert place_of(np.frombuffer(bytes(8), np.float32)) is None


def test_what_was_let_go_is_read_again(file: MappedFile) -> None:
    part = np.frombuffer(memoryview(file), np.float32)[1000:50_000]
    assert part.sum() == CONTENT[1000:50_000].sum()
    let_go(part)
    assert np.array_equal(part, CONTENT[1000:50_000])
    let_go(part[:3])
    let_go(part.copy())


def test_an_empty_file_has_no_mapping(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    assert map_file(tmp_path / "empty") == b""
    with pytest.raises(OSError, match="gone"):
        map_file(tmp_path / "gone")
