"""Keeps what was compiled: a folder of checked, immutable entries shared by all processes of a user.

Decides names, layout and eviction; must not know what the entries mean.
"""

from __future__ import annotations

import hashlib
import mmap
import os
import struct
import time
import warnings
from collections.abc import Iterable
from contextlib import AbstractContextManager, suppress
from functools import cache as once
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from sardonyx.base.knobs import cache_folder
from sardonyx.runtime.claim import claimed

Bytes = bytes | bytearray | memoryview

HEADER_BYTES: Final = 64
"""Offset of the payload in an entry's file."""

_HEADER = struct.Struct("<8sQ32s16x")
_MAGIC = b"sdxent1\0"
_TOUCH_AFTER_SECONDS = 3600.0


def key(*parts: str | Bytes) -> str:
    """The name of an entry: a digest of everything its content depends on."""
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        digest.update(struct.pack("<Q", memoryview(data).nbytes))
        digest.update(data)
    return digest.hexdigest()


@once
def at(root: Path | None) -> Cache:
    """The cache of a folder, one object per process; None gives one that keeps nothing."""
    return Cache(root)


def shared() -> Cache:
    """The cache of the folder that the environment asks for."""
    return at(cache_folder())


class MappedEntry(NamedTuple):
    """An entry mapped read-only: its payload as bytes, and the file it is in (payload at `HEADER_BYTES`)."""

    payload: npt.NDArray[np.uint8]
    path: Path


class Cache:
    """Entries by (kind, key). Every failure to read or write is a miss, never an error.

    Kinds are folder names such as `object`, `plan`, `image`, `weights`. Writers rename a finished file into
    place, so readers see whole entries or none; two writers of one key write the same content.
    """

    def __init__(self, root: str | Path | None, limit_bytes: int = 8 << 30) -> None:
        self.root = Path(root or os.devnull)
        self.limit_bytes = limit_bytes
        self._unchecked_bytes = limit_bytes
        self._broken = root is None

    def path(self, kind: str, key: str) -> Path:
        """Where an entry is or would be."""
        return self.root / kind / key[:2] / key

    def has(self, kind: str, key: str) -> bool:
        """Whether there is an entry, sound or not."""
        return self.path(kind, key).exists()

    def claim(self, kind: str, key: str, *, wait: bool) -> AbstractContextManager[bool]:
        """Be the only process that makes an entry; see `claim.claimed`."""
        return claimed(self.root / "lock" / key[:2], lambda: self.has(kind, key), wait=wait)

    def get(self, kind: str, key: str) -> bytes | None:
        """The payload, its digest checked; None if there is no sound entry."""
        path = self.path(kind, key)
        try:
            data = path.read_bytes()
        except OSError:
            return None
        payload = data[HEADER_BYTES:]
        if not _sound(data[:HEADER_BYTES], len(payload), payload):
            return None
        _touch(path)
        return payload

    def map(self, kind: str, key: str, *, check: bool = False, populate: bool = False) -> MappedEntry | None:
        """The payload mapped into memory; None if there is no entry of the right size.

        `check` reads it all to compare the digest as well. `populate` has the system bring all pages in at
        once, where it can, instead of each when it is first touched.
        """
        path = self.path(kind, key)
        try:
            with path.open("rb") as file:
                mapped = _map(file.fileno(), populate)
        except (OSError, ValueError):
            return None
        data = np.frombuffer(mapped, np.uint8)
        payload = data[HEADER_BYTES:]
        if not _sound(bytes(data[:HEADER_BYTES]), payload.size, payload.data if check else None):
            return None
        _touch(path)
        return MappedEntry(payload, path)

    def put(self, kind: str, key: str, payload: Bytes | Iterable[Bytes]) -> bool:
        """Store an entry, given whole or in pieces; False (and one warning) if it cannot be written."""
        return self._put(kind, key, payload) is not None

    def put_by_content(self, kind: str, payload: Bytes | Iterable[Bytes]) -> str | None:
        """Store an entry under the digest of its content and return that, or None as `put` returns False."""
        return self._put(kind, None, payload)

    def _put(self, kind: str, key: str | None, payload: Bytes | Iterable[Bytes]) -> str | None:
        if self._broken:
            return None
        partial = self.path(kind, key or "00").with_name(f".{os.getpid()}-{os.urandom(8).hex()}")
        path = partial
        try:
            partial.parent.mkdir(parents=True, exist_ok=True)
            digest, size = _write(partial, payload)
            key = key or digest
            path = self.path(kind, key)
            path.parent.mkdir(exist_ok=True)
            partial.replace(path)
        except OSError as error:
            with suppress(OSError):
                partial.unlink()
            # On Windows an entry that is mapped cannot be replaced; it is the same entry.
            if key and path.exists():
                return key
            self._broken = True
            what = f"nothing will be cached in {self.root}: {error.strerror}"
            warnings.warn(f"{what}; set SARDONYX_CACHE to a writable folder", RuntimeWarning, stacklevel=3)
            return None
        self._unchecked_bytes += size
        if self._unchecked_bytes > self.limit_bytes // 16:
            self._unchecked_bytes = 0
            self.evict()
        return key

    def evict(self) -> None:
        """If the limit is passed, remove the entries used longest ago down to nine tenths of it."""
        entries = []
        for path in self.root.glob("*/*/*"):
            with suppress(OSError):
                status = path.stat()
                if path.name.startswith("."):
                    if time.time() - status.st_mtime > _TOUCH_AFTER_SECONDS:
                        path.unlink()
                else:
                    entries.append((status.st_mtime, status.st_size, path))
        total = sum(size for _, size, _ in entries)
        if total <= self.limit_bytes:
            return
        for _, size, path in sorted(entries):
            with suppress(OSError):
                path.unlink()
            total -= size
            if total <= self.limit_bytes * 9 // 10:
                break


def _map(handle: int, populate: bool) -> mmap.mmap:
    """A file mapped read-only."""
    if populate and hasattr(mmap, "MAP_POPULATE"):
        return mmap.mmap(handle, 0, flags=mmap.MAP_SHARED | mmap.MAP_POPULATE, prot=mmap.PROT_READ)
    return mmap.mmap(handle, 0, access=mmap.ACCESS_READ)


def _write(path: Path, payload: Bytes | Iterable[Bytes]) -> tuple[str, int]:
    """Write header and payload; returns the digest and the size of the payload."""
    pieces = [payload] if isinstance(payload, Bytes) else payload
    digest, size = hashlib.sha256(), 0
    with path.open("xb") as file:
        file.write(bytes(HEADER_BYTES))
        for piece in pieces:
            digest.update(piece)
            size += memoryview(piece).nbytes
            file.write(piece)
        file.seek(0)
        file.write(_HEADER.pack(_MAGIC, size, digest.digest()))
    return digest.hexdigest(), size


def _sound(header: bytes, size: int, payload: Bytes | None) -> bool:
    if len(header) < HEADER_BYTES:
        return False
    magic, stored_size, digest = _HEADER.unpack(header)
    if magic != _MAGIC or stored_size != size:
        return False
    return payload is None or hashlib.sha256(payload).digest() == digest


def _touch(path: Path) -> None:
    """Mark an entry as used, at most once an hour."""
    with suppress(OSError):
        if time.time() - path.stat().st_mtime > _TOUCH_AFTER_SECONDS:
            os.utime(path)
