"""Keeps what was compiled: a folder of checked, immutable entries shared by all processes of a user.

Decides names, layout and eviction; must not know what the entries mean.
"""

from __future__ import annotations

import mmap
import os
import struct
import sys
import time
import warnings
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext, suppress
from functools import cache as once
from typing import TYPE_CHECKING, BinaryIO, Final
from weakref import WeakValueDictionary

import numpy as np

from sardonyx.base.digest import Bytes, begun
from sardonyx.base.knobs import cache_root
from sardonyx.base.mapped import NO_HANDLE
from sardonyx.base.named import NamedTuple
from sardonyx.runtime.ownership import PRIVATE_FILE, PRIVATE_FOLDER, fault, folder_fault, make_folder

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

HEADER_BYTES: Final = 64
"""Offset of the payload in an entry's file."""

_HEADER = struct.Struct("<8sQ32s16x")
_MAGIC = b"sdxent2\0"
_TOUCH_AFTER_SECONDS = 3600.0
_PARTS = 1024
_BLOCK_BYTES = 2 << 20
"""That of a huge page: file systems keep, and map, so what is written in such blocks."""
DEFAULT_LIMIT_BYTES = 8 << 30
KINDS = ("object", "module", "image", "draft", "plan", "weights", "digest", "external")
"""The folders of a cache; others beside them are not its own."""


def key(*parts: str | Bytes) -> str:
    """The name of an entry: a digest of everything its content depends on."""
    digest = begun()
    for part in parts:
        data = part.encode("utf-8", "surrogateescape") if isinstance(part, str) else part
        digest.update(struct.pack("<Q", memoryview(data).nbytes))
        digest.update(data)
    return digest.hexdigest()


def at(root: str | os.PathLike[str] | None) -> Cache:
    """The cache of a folder, one object per process; None gives one that keeps nothing."""
    return _at(None if root is None else os.fspath(root))


@once
def _at(root: str | None) -> Cache:
    return Cache(root)


def shared() -> Cache:
    """The cache of the folder that the environment asks for."""
    return at(cache_root())


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

    def __init__(self, root: str | os.PathLike[str] | None, limit_bytes: int | None = None) -> None:
        self._root = os.fspath(root or os.devnull)
        self._limit_bytes = limit_bytes
        self._unnoted_bytes = 0
        self._is_off = root is None
        self._is_looked_at = False

    @property
    def root(self) -> Path:
        """The folder; the null device if nothing is kept."""
        from pathlib import Path

        return Path(self._root)

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

    def can_keep(self) -> bool:
        """Whether entries can be written; as far as that is known before one is."""
        if self._is_off or folder_fault(self._root):
            return False
        folder = os.path.abspath(self._root)
        while not os.path.exists(folder):
            folder = os.path.dirname(folder)
        return os.path.isdir(folder) and os.access(folder, os.W_OK | os.X_OK)

    def set_limit(self, limit_bytes: int) -> None:
        """Keep a limit in the folder, for all processes. Raises OSError if it cannot be written."""
        make_folder(self._root)
        (self.root / "limit").write_text(f"{limit_bytes}\n", encoding="ascii")
        self._limit_bytes = limit_bytes
        self.evict()

    def path(self, kind: str, key: str) -> Path:
        """Where an entry is or would be."""
        from pathlib import Path

        return Path(self._file(kind, key))

    def _file(self, kind: str, key: str) -> str:
        """The same as text: a Path costs more than to open the file, and a start looks up a hundred."""
        return f"{self._root}/{kind}/{key[:2]}/{key}"

    def has(self, kind: str, key: str) -> bool:
        """Whether there is an entry, sound or not."""
        return not self._is_off and os.path.exists(self._file(kind, key))

    def claim(self, kind: str, key: str, *, wait: bool) -> AbstractContextManager[bool]:
        """Be the only process that makes an entry; see `claim.claimed`."""
        if self._is_off:
            return nullcontext(True)
        from sardonyx.runtime.claim import claimed

        folder = f"{self._root}/lock/{kind}"
        with suppress(OSError):
            self._make_folders(folder)
        return claimed(f"{folder}/{key[:2]}", lambda: self.has(kind, key), wait=wait)

    def get(self, kind: str, key: str) -> bytes | None:
        """The payload, its digest checked; None if there is no sound entry."""
        path = self._file(kind, key)
        try:
            with open(path, "rb", 0) as file:
                status = os.fstat(file.fileno())
                if not self._may_use(path, status):
                    return None
                header, payload = file.read(HEADER_BYTES), file.read()
        except OSError:
            return None
        if not _sound(header, len(payload), payload):
            return None
        _touch(path, status)
        return payload

    def map(
        self, kind: str, key: str, *, check: bool = False, populate: bool = False, execute: bool = False
    ) -> MappedEntry | None:
        """The payload mapped into memory; None if there is no entry of the right size.

        `check` reads it all to compare the digest as well. `populate` has the system bring all pages in at
        once, where it can, instead of each when it is first touched. `execute` lets it be run, where the
        system allows it.
        """
        path = self._file(kind, key)
        try:
            with open(path, "rb", 0) as file:
                status = os.fstat(file.fileno())
                if not self._may_use(path, status):
                    return None
                mapped, may_run = _shared_map(file.fileno(), status, populate, execute)
        except (OSError, ValueError):
            return None
        data = np.frombuffer(mapped, np.uint8)
        payload = data[HEADER_BYTES:]
        if not _sound(bytes(data[:HEADER_BYTES]), payload.size, payload.data if check else None):
            return None
        _touch(path, status)
        return MappedEntry(mapped, payload, may_run)

    def _may_use(self, path: str, status: os.stat_result) -> bool:
        """Whether an open entry is ours, and the folder, which is looked at before the first one."""
        if self._is_off:
            return False
        if not self._is_looked_at and (why := folder_fault(self._root)):
            self._switch_off(f"the cache {self._root} is not used: {why}")
            return False
        self._is_looked_at = True
        if why := fault(status):
            self._switch_off(f"the cache {self._root} is not used, for {path} is in it: {why}")
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
        if why := folder_fault(self._root):
            self._switch_off(f"the cache {self._root} is not used: {why}")
            return None
        folder = f"{self._root}/{kind}/{(key or '00')[:2]}"
        partial = f"{folder}/.{os.getpid()}-{os.urandom(8).hex()}"
        path = partial
        try:
            self._make_folders(folder)
            digest, size = _write(partial, payload, checked)
            key = key or digest
            path = self._file(kind, key)
            self._make_folders(os.path.dirname(path))
            os.replace(partial, path)
        except OSError as error:
            with suppress(OSError):
                os.unlink(partial)
            # On Windows an entry that is mapped cannot be replaced; it is the same entry.
            if key and os.path.exists(path):
                return key
            self._is_off = True
            what = f"nothing will be cached in {self._root}: {error.strerror}"
            warnings.warn(f"{what}; set SARDONYX_CACHE to a writable folder", RuntimeWarning, stacklevel=3)
            return None
        self._unnoted_bytes += size
        if self._unnoted_bytes > 0:
            self._note_bytes()
        return key

    def _note_bytes(self) -> None:
        """Note how much was written; look at all entries once processes wrote a sixteenth of the limit.

        That takes long where there are many, so the file `written` has a byte for each part of the limit.
        """
        part_bytes = max(1, self.limit_bytes // _PARTS)
        parts = -(-self._unnoted_bytes // part_bytes)
        self._unnoted_bytes -= parts * part_bytes
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0)
        with (
            suppress(OSError),
            os.fdopen(os.open(f"{self._root}/written", flags, PRIVATE_FILE), "ab", 0) as file,
        ):
            file.write(bytes(min(parts, _PARTS)))
            noted = file.tell()
            if noted == parts or noted > _PARTS // 16:
                file.truncate(1)
                self.evict()

    def _make_folders(self, folder: str) -> None:
        if os.path.exists(folder):
            return
        try:
            with suppress(FileExistsError):
                os.mkdir(folder, PRIVATE_FOLDER)
        except FileNotFoundError:
            for path in (self._root, os.path.dirname(folder), folder):
                make_folder(path)

    def entries(self, kind: str) -> Iterator[Entry]:
        """The entries of a kind, in no order."""
        from pathlib import Path

        for file in self._files(kind):
            if not file.name.startswith("."):
                with suppress(OSError):
                    status = file.stat()
                    yield Entry(kind, file.name, Path(file.path), status.st_size, status.st_mtime)

    def _files(self, kind: str) -> Iterator[os.DirEntry[str]]:
        """The files of a kind, partial ones too."""
        with suppress(OSError), os.scandir(f"{self._root}/{kind}") as folders:
            for folder in folders:
                with suppress(OSError), os.scandir(folder.path) as files:
                    yield from files

    def remove(self, kind: str, key: str) -> None:
        """Remove an entry, if it is there; who has it mapped keeps it."""
        with suppress(OSError):
            self.path(kind, key).unlink()

    def evict(self) -> None:
        """If the limit is passed, remove the entries used longest ago down to nine tenths of it.

        A plan goes before what it needs: that was used as late, but for how seldom it is marked.
        """
        now, total = time.time(), 0
        entries = []
        for kind in KINDS:
            ahead = 2 * _TOUCH_AFTER_SECONDS if kind == "plan" else 0
            for file in self._files(kind):
                with suppress(OSError):
                    status = file.stat()
                    if not file.name.startswith("."):
                        entries.append((status.st_mtime - ahead, status.st_size, file.path))
                        total += status.st_size
                    elif status.st_mtime < now - _TOUCH_AFTER_SECONDS:
                        os.unlink(file.path)
        if total <= self.limit_bytes:
            return
        for _, size, path in sorted(entries):
            with suppress(OSError):
                os.unlink(path)
            total -= size
            if total <= self.limit_bytes * 9 // 10:
                break


_MAPPED: WeakValueDictionary[tuple[int, ...], mmap.mmap] = WeakValueDictionary()


def _shared_map(handle: int, status: os.stat_result, populate: bool, execute: bool) -> tuple[mmap.mmap, bool]:
    """As `_map`, once for all who have the same file mapped: each mapping may hold a handle."""
    which = status.st_dev, status.st_ino, status.st_size, execute
    if mapped := _MAPPED.get(which):
        return mapped, execute
    mapped, may_run = _map(handle, populate, execute)
    if may_run == execute:
        _MAPPED[which] = mapped
    return mapped, may_run


def _map(handle: int, populate: bool, execute: bool) -> tuple[mmap.mmap, bool]:
    """A file mapped read-only, and whether what is in it may be run."""
    if sys.platform != "win32" and execute:
        # A file system may be mounted without permission to execute.
        with suppress(PermissionError):
            return mmap.mmap(handle, 0, mmap.MAP_PRIVATE, mmap.PROT_READ | mmap.PROT_EXEC, **NO_HANDLE), True
    if populate and hasattr(mmap, "MAP_POPULATE"):
        flags = mmap.MAP_SHARED | mmap.MAP_POPULATE
        return mmap.mmap(handle, 0, flags=flags, prot=mmap.PROT_READ, **NO_HANDLE), False
    return mmap.mmap(handle, 0, access=mmap.ACCESS_READ, **NO_HANDLE), False


def _write(path: str, payload: Bytes | Iterable[Bytes], checked: bool) -> tuple[str, int]:
    """Write header and payload; returns the digest (of nothing if it is not checked) and the size."""
    pieces = [payload] if isinstance(payload, Bytes) else payload
    digest, size = begun(), 0
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    with os.fdopen(os.open(path, flags, PRIVATE_FILE), "wb", _BLOCK_BYTES) as file:
        file.write(bytes(HEADER_BYTES))
        for piece in pieces:
            if checked:
                digest.update(piece)
            view = memoryview(piece)
            if view.nbytes:
                _write_blocks(file, view.cast("B"), HEADER_BYTES + size)
            size += view.nbytes
        file.seek(0)
        file.write(_HEADER.pack(_MAGIC, size, digest.digest()))
    return digest.hexdigest(), size


def _write_blocks(file: BinaryIO, piece: memoryview, at: int) -> None:
    """Write a piece where the file is `at` bytes long; blocks are written whole once they are full."""
    begin, end = 0, piece.nbytes - (at + piece.nbytes) % _BLOCK_BYTES
    if end > 0:
        begin = min(end, -at % _BLOCK_BYTES)
        file.write(piece[:begin])
        file.flush()
        file.write(piece[begin:end])
        file.flush()
        begin = end
    file.write(piece[begin:])


def _sound(header: bytes, size: int, payload: Bytes | None) -> bool:
    if len(header) < HEADER_BYTES:
        return False
    magic, stored_size, digest = _HEADER.unpack(header)
    if magic != _MAGIC or stored_size != size:
        return False
    return payload is None or begun(payload).digest() == digest


def _touch(path: str, status: os.stat_result) -> None:
    """Mark an entry as used, at most once an hour."""
    if time.time() - status.st_mtime > _TOUCH_AFTER_SECONDS:
        with suppress(OSError):
            os.utime(path)
