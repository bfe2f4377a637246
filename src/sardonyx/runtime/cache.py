"""Keeps what was compiled: a folder of checked, immutable entries shared by all processes of a user.

Decides names, layout and eviction; must not know what the entries mean.
"""

from __future__ import annotations

import hashlib
import mmap
import os
import struct
import sys
import time
import warnings
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext, suppress
from functools import cache as once
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from sardonyx.base.knobs import cache_folder
from sardonyx.runtime.claim import claimed
from sardonyx.runtime.ownership import PRIVATE_FILE, fault, folder_fault, make_folder

Bytes = bytes | bytearray | memoryview

HEADER_BYTES: Final = 64
"""Offset of the payload in an entry's file."""

_HEADER = struct.Struct("<8sQ32s16x")
_MAGIC = b"sdxent1\0"
_TOUCH_AFTER_SECONDS = 3600.0
DEFAULT_LIMIT_BYTES = 8 << 30
KINDS = ("object", "module", "image", "plan", "weights", "digest", "external")
"""The folders of a cache; others beside them are not its own."""


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


class Entry(NamedTuple):
    """An entry on the disk; `used` is about when it was last read, in seconds since 1970."""

    kind: str
    key: str
    path: Path
    size_bytes: int
    used: float


class MappedEntry(NamedTuple):
    """An entry mapped read-only: the mapping, its payload, which begins at `HEADER_BYTES`, may it be run."""

    mapped: mmap.mmap
    payload: npt.NDArray[np.uint8]
    may_run: bool


class Cache:
    """Entries by (kind, key). Every failure to read or write is a miss, never an error.

    Kinds are the folder names `KINDS`. Writers rename a finished file into place, so readers see whole
    entries or none; two writers of one key write the same content. Folders and entries are the user's alone;
    those of others are not used, see `ownership`.
    """

    def __init__(self, root: str | Path | None, limit_bytes: int | None = None) -> None:
        self.root = Path(root or os.devnull)
        self._limit_bytes = limit_bytes
        self._unchecked_bytes = sys.maxsize
        self._is_off = root is None
        self._is_looked_at = False

    @property
    def limit_bytes(self) -> int:
        """The most that all entries may take; what is kept in the file `limit` of the folder, or 8 GiB."""
        if self._limit_bytes is None:
            try:
                self._limit_bytes = int((self.root / "limit").read_text())
            except (OSError, ValueError):
                self._limit_bytes = DEFAULT_LIMIT_BYTES
        return self._limit_bytes

    @property
    def is_on(self) -> bool:
        """Whether anything may be kept."""
        return not self._is_off

    def set_limit(self, limit_bytes: int) -> None:
        """Keep a limit in the folder, for all processes. Raises OSError if it cannot be written."""
        make_folder(self.root)
        (self.root / "limit").write_text(f"{limit_bytes}\n", encoding="ascii")
        self._limit_bytes = limit_bytes
        self.evict()

    def path(self, kind: str, key: str) -> Path:
        """Where an entry is or would be."""
        return self.root / kind / key[:2] / key

    def has(self, kind: str, key: str) -> bool:
        """Whether there is an entry, sound or not."""
        return not self._is_off and self.path(kind, key).exists()

    def claim(self, kind: str, key: str, *, wait: bool) -> AbstractContextManager[bool]:
        """Be the only process that makes an entry; see `claim.claimed`."""
        if self._is_off:
            return nullcontext(True)
        return claimed(self.root / "lock" / key[:2], lambda: self.has(kind, key), wait=wait)

    def get(self, kind: str, key: str) -> bytes | None:
        """The payload, its digest checked; None if there is no sound entry."""
        path = self.path(kind, key)
        try:
            with path.open("rb") as file:
                if not self._may_use(path, file.fileno()):
                    return None
                data = file.read()
        except OSError:
            return None
        payload = data[HEADER_BYTES:]
        if not _sound(data[:HEADER_BYTES], len(payload), payload):
            return None
        _touch(path)
        return payload

    def map(
        self, kind: str, key: str, *, check: bool = False, populate: bool = False, execute: bool = False
    ) -> MappedEntry | None:
        """The payload mapped into memory; None if there is no entry of the right size.

        `check` reads it all to compare the digest as well. `populate` has the system bring all pages in at
        once, where it can, instead of each when it is first touched. `execute` lets it be run, where the
        system allows it.
        """
        path = self.path(kind, key)
        try:
            with path.open("rb") as file:
                if not self._may_use(path, file.fileno()):
                    return None
                mapped, may_run = _map(file.fileno(), populate, execute)
        except (OSError, ValueError):
            return None
        data = np.frombuffer(mapped, np.uint8)
        payload = data[HEADER_BYTES:]
        if not _sound(bytes(data[:HEADER_BYTES]), payload.size, payload.data if check else None):
            return None
        _touch(path)
        return MappedEntry(mapped, payload, may_run)

    def _may_use(self, path: Path, handle: int) -> bool:
        """Whether an open entry is ours, and the folder, which is looked at before the first one."""
        if self._is_off:
            return False
        if not self._is_looked_at and (why := folder_fault(self.root)):
            self._switch_off(f"the cache {self.root} is not used: {why}")
            return False
        self._is_looked_at = True
        if why := fault(os.fstat(handle)):
            self._switch_off(f"the cache {self.root} is not used, for {path} is in it: {why}")
            return False
        return True

    def _switch_off(self, what: str) -> None:
        """Use the cache no more, and say why."""
        self._is_off = True
        advice = "remove it (or chmod -R go-w and chown it), or set SARDONYX_CACHE to a folder of your own"
        warnings.warn(f"{what}; {advice}", RuntimeWarning, stacklevel=4)

    def put(self, kind: str, key: str, payload: Bytes | Iterable[Bytes], *, checked: bool = True) -> bool:
        """Store an entry, given whole or in pieces; False (and one warning) if it cannot be written.

        What is not `checked` has no digest: `get` does not find it, `map` does unless it is to check.
        """
        return self._put(kind, key, payload, checked) is not None

    def put_by_content(self, kind: str, payload: Bytes | Iterable[Bytes]) -> str | None:
        """Store an entry under the digest of its content and return that, or None as `put` returns False."""
        return self._put(kind, None, payload)

    def _put(
        self, kind: str, key: str | None, payload: Bytes | Iterable[Bytes], checked: bool = True
    ) -> str | None:
        if self._is_off:
            return None
        if why := folder_fault(self.root):
            self._switch_off(f"the cache {self.root} is not used: {why}")
            return None
        partial = self.path(kind, key or "00").with_name(f".{os.getpid()}-{os.urandom(8).hex()}")
        path = partial
        try:
            self._make_folders(partial.parent)
            digest, size = _write(partial, payload, checked)
            key = key or digest
            path = self.path(kind, key)
            make_folder(path.parent)
            partial.replace(path)
        except OSError as error:
            with suppress(OSError):
                partial.unlink()
            # On Windows an entry that is mapped cannot be replaced; it is the same entry.
            if key and path.exists():
                return key
            self._is_off = True
            what = f"nothing will be cached in {self.root}: {error.strerror}"
            warnings.warn(f"{what}; set SARDONYX_CACHE to a writable folder", RuntimeWarning, stacklevel=3)
            return None
        self._unchecked_bytes += size
        if self._unchecked_bytes > self.limit_bytes // 16:
            self._unchecked_bytes = 0
            self.evict()
        return key

    def _make_folders(self, folder: Path) -> None:
        if not folder.exists():
            for path in (self.root, folder.parent, folder):
                make_folder(path)

    def entries(self, kind: str) -> Iterator[Entry]:
        """The entries of a kind, in no order."""
        for path in (self.root / kind).glob("*/*"):
            if not path.name.startswith("."):
                with suppress(OSError):
                    status = path.stat()
                    yield Entry(kind, path.name, path, status.st_size, status.st_mtime)

    def remove(self, kind: str, key: str) -> None:
        """Remove an entry, if it is there; who has it mapped keeps it."""
        with suppress(OSError):
            self.path(kind, key).unlink()

    def evict(self) -> None:
        """If the limit is passed, remove the entries used longest ago down to nine tenths of it."""
        for kind in KINDS:
            for path in (self.root / kind).glob("*/.*"):
                with suppress(OSError):
                    if time.time() - path.stat().st_mtime > _TOUCH_AFTER_SECONDS:
                        path.unlink()
        entries = [entry for kind in KINDS for entry in self.entries(kind)]
        total = sum(entry.size_bytes for entry in entries)
        if total <= self.limit_bytes:
            return
        for entry in sorted(entries, key=lambda entry: entry.used):
            self.remove(entry.kind, entry.key)
            total -= entry.size_bytes
            if total <= self.limit_bytes * 9 // 10:
                break


def _map(handle: int, populate: bool, execute: bool) -> tuple[mmap.mmap, bool]:
    """A file mapped read-only, and whether what is in it may be run."""
    if sys.platform != "win32" and execute:
        # A file system may be mounted without permission to execute.
        with suppress(PermissionError):
            return mmap.mmap(handle, 0, mmap.MAP_PRIVATE, mmap.PROT_READ | mmap.PROT_EXEC), True
    if populate and hasattr(mmap, "MAP_POPULATE"):
        return mmap.mmap(handle, 0, flags=mmap.MAP_SHARED | mmap.MAP_POPULATE, prot=mmap.PROT_READ), False
    return mmap.mmap(handle, 0, access=mmap.ACCESS_READ), False


def _write(path: Path, payload: Bytes | Iterable[Bytes], checked: bool) -> tuple[str, int]:
    """Write header and payload; returns the digest (of nothing if it is not checked) and the size."""
    pieces = [payload] if isinstance(payload, Bytes) else payload
    digest, size = hashlib.sha256(), 0
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    with os.fdopen(os.open(path, flags, PRIVATE_FILE), "wb") as file:
        file.write(bytes(HEADER_BYTES))
        for piece in pieces:
            if checked:
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
