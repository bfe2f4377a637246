"""Bytes become a function that can be called, from a copy or from a part of a file."""

from __future__ import annotations

import ctypes
import mmap
import os
import platform
import resource
from pathlib import Path

import pytest

from sardonyx.base.executable import Mapped, copied

RETURN_42 = bytes.fromhex("b82a000000c3")
pytestmark = pytest.mark.skipif(platform.machine() != "x86_64", reason="the bytes are of x86-64")


def call(address: int) -> int:
    return int(ctypes.CFUNCTYPE(ctypes.c_int)(address)())


def test_a_copy_does_not_depend_on_its_bytes() -> None:
    source = bytearray(RETURN_42)
    code = copied(memoryview(source))
    source[:] = b"\xcc" * len(source)
    assert call(code.address) == 42


def test_a_part_of_a_file(tmp_path: Path) -> None:
    file = tmp_path / "image"
    file.write_bytes(b"\xcc" * 100 + RETURN_42)
    with file.open("rb") as opened:
        mapped = mmap.mmap(opened.fileno(), 0, mmap.MAP_PRIVATE, mmap.PROT_READ | mmap.PROT_EXEC)
    assert call(Mapped(mapped, 100).address) == 42


@pytest.mark.skipif(not hasattr(os, "memfd_create"), reason="files have names here")
def test_a_copy_where_files_may_not_be_written() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        code = copied(RETURN_42 + bytes(100_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert call(code.address) == 42
    maps = [line.split() for line in Path("/proc/self/maps").read_text().splitlines()]
    (rights,) = (
        access
        for extent, access, *_ in maps
        if int(extent.split("-")[0], 16) <= code.address < int(extent.split("-")[1], 16)
    )
    assert rights.startswith("r-x"), "not writable once it is executable"
