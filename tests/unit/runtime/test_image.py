"""Code images in executable memory."""

from __future__ import annotations

import ctypes
import mmap
import sys
from pathlib import Path
from typing import Any

import pytest

from sardonyx.errors import CompileError
from sardonyx.object import engine
from sardonyx.object.link import link
from sardonyx.runtime.cache import Cache
from sardonyx.runtime.image import LoadedImage, load_cached
from sardonyx.targets.x86_64 import isa

ANSWER = "define i64 @answer() nounwind {\n  ret i64 42\n}\n"


@pytest.fixture(scope="module")
def blob() -> bytes:
    return link([engine.compile_object(ANSWER, isa.V3)], isa.V3).to_bytes()


def answer(loaded: LoadedImage) -> int:
    return int(ctypes.CFUNCTYPE(ctypes.c_int64)(loaded.address("answer"))())


def test_an_image_runs_from_the_cache(tmp_path: Path, blob: bytes) -> None:
    cache = Cache(tmp_path)
    assert load_cached(cache, "ab") is None
    cache.put("image", "ab", blob)
    loaded = load_cached(cache, "ab")
    assert loaded is not None
    assert answer(loaded) == 42
    assert "answer" in loaded
    with pytest.raises(CompileError, match="has no function question"):
        loaded.address("question")


def test_a_damaged_image_is_not_loaded(tmp_path: Path, blob: bytes) -> None:
    cache = Cache(tmp_path)
    cache.put("image", "ab", blob)
    path = cache.path("image", "ab")
    data = bytearray(path.read_bytes())
    data[70] ^= 1
    path.write_bytes(data)
    assert load_cached(cache, "ab") is None
    cache.put("image", "ab", b"sound, but no image")
    assert load_cached(cache, "ab") is None


def test_code_outlives_its_file(tmp_path: Path, blob: bytes) -> None:
    cache = Cache(tmp_path)
    cache.put("image", "ab", blob)
    loaded = load_cached(cache, "ab")
    cache.path("image", "ab").unlink()
    assert loaded is not None
    assert answer(loaded) == 42


@pytest.mark.skipif(sys.platform == "win32", reason="images are copied there")
def test_a_file_system_that_forbids_execution_costs_a_copy(
    tmp_path: Path, blob: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = Cache(tmp_path)
    cache.put("image", "ab", blob)
    real, refused = mmap.mmap, []

    def refuse_once(*args: Any, **named: Any) -> mmap.mmap:
        if not refused:
            refused.append(True)
            raise PermissionError
        return real(*args, **named)

    monkeypatch.setattr(mmap, "mmap", refuse_once)
    loaded = load_cached(cache, "ab")
    assert loaded is not None
    assert answer(loaded) == 42
    assert refused
