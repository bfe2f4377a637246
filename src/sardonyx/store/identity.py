"""What a cached program depends on besides the target: the model's bytes, and the build that compiles them.

Decides when a file counts as unchanged; must not know what is in it.
"""

from __future__ import annotations

import errno
import os
import sys
import time
import weakref
from collections.abc import Callable, Iterable, Iterator
from functools import cache as once
from functools import partial
from importlib.machinery import PathFinder
from stat import S_ISDIR, S_ISREG
from typing import TYPE_CHECKING, Any

import numpy as np

from sardonyx.base.background import Background
from sardonyx.base.digest import begun
from sardonyx.runtime.cache import Cache, key
from sardonyx.runtime.pointers import address_of
from sardonyx.store import digests
from sardonyx.version import __version__

if TYPE_CHECKING:
    from pathlib import Path

Array = np.ndarray[Any, Any]

_HASHED_EACH_TIME = 1 << 20
"""Files up to this many bytes are read rather than trusted."""
_SETTLED_NS = 2_000_000_000
"""A file changed more recently might change again without a new time stamp."""
ABOVE = frozenset(
    {"alias", "authoring", "backend", "capi", "client", "compression", "convert", "database", "datasets"}
    | {"gateway", "monitor", "ort", "protocol", "registry", "serve", "tools", "train", "vision", "zoo"}
)
"""The layers above this one, whose code changes no program."""
_COMPILERS = ("llvmlite", "ml_dtypes", "onnx")


def file_digest(
    path: str | os.PathLike[str],
    store: Cache,
    read: Callable[[str | os.PathLike[str]], str] | None = None,
) -> str:
    """The digest of a file; a large one is not read again while size, times and place on the disk stay.

    `read` gives the digest of a file that has to be read. Raises OSError if it cannot be.
    """
    read = read or digests.file_digest
    status = os.stat(path)
    if not S_ISREG(status.st_mode):
        number = errno.EISDIR if S_ISDIR(status.st_mode) else errno.EINVAL
        raise OSError(number, "it is not a regular file", str(path))
    if status.st_size <= _HASHED_EACH_TIME:
        return read(path)
    place = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
    name = key("file", digests.WAY, os.path.abspath(path), repr(place))
    known = store.get("digest", name)
    if known is not None:
        return known.decode()
    digest = read(path)
    if time.time_ns() - max(status.st_mtime_ns, status.st_ctime_ns) > _SETTLED_NS:
        store.put("digest", name, digest.encode())
    return digest


class Model:
    """A model file by path or by its bytes, and the folders of its external data.

    Raises OSError if the file cannot be read.
    """

    def __init__(self, origin: str | os.PathLike[str] | bytes, folder: str | None, store: Cache) -> None:
        self.origin = origin
        self._store = store
        self._folder = folder
        self.files: dict[Path, str] = {}
        """Those of external data and their digests, when `key` was last asked for."""
        self._content: Array | None = None
        self._whole: weakref.ref[Array] | None = None
        self._ahead: Background[dict[Path, str]] | None = None
        if isinstance(origin, bytes):
            self.digest = digests.digest_of(np.frombuffer(origin, np.uint8))
        else:
            self.digest = file_digest(origin, store, self._read)

    def _read(self, path: str | os.PathLike[str]) -> str:
        self._content, digest = digests.read(path)
        return digest

    def content(self) -> Array | None:
        """The bytes of the model; None if the file has changed. What was read for its digest is used once."""
        if isinstance(self.origin, bytes):
            self._content = np.frombuffer(self.origin, np.uint8)
        elif self._content is None and self._read(self.origin) != self.digest:
            self._content = None
        content, self._content = self._content, None
        self._whole = None if content is None else weakref.ref(content)
        return content

    def place_of(self, array: Array) -> str | None:
        """Where an array lies in the model or in one of `files`, if it is contiguous there."""
        whole = self._whole() if self._whole is not None else None
        if whole is not None and array.flags.c_contiguous:
            at = address_of(array) - address_of(whole)
            if 0 <= at <= whole.nbytes - array.nbytes:
                return f"{self.digest} {at}"
        if not self.files:
            return None
        from sardonyx.base.mapped import place_of

        found = place_of(array)
        return f"{self.files[found[0].path]} {found[1]}" if found and found[0].path in self.files else None

    def forget(self) -> None:
        """Let go of what was read."""
        self._content = None

    def key(self) -> str | None:
        """A text equal for equal models, external data included; None if its files are not known or found."""
        listed = self._store.get("external", key(self.digest))
        if listed is None:
            return None
        ahead, self._ahead = self._ahead, None
        try:
            self.files = ahead.result() if ahead is not None else self._digests(listed.decode().split("\0"))
        except (OSError, ValueError):
            return None
        return " ".join((self.digest, *self.files.values()))

    @property
    def is_whole(self) -> bool:
        """Whether it is known to have no external data."""
        return self._store.get("external", key(self.digest)) == b""

    def _digests(self, names: Iterable[str]) -> dict[Path, str]:
        """The digest of each file. Raises OSError or ValueError if one is not there."""
        named = [name for name in names if name]
        if not named:
            return {}
        from sardonyx.base.folders import find, folders_of

        folders = folders_of(None if isinstance(self.origin, bytes) else self.origin, self._folder)
        places = [find(folders, name) for name in named]
        if None in places:
            raise ValueError("a file lies outside of the model's folders")
        return {place: file_digest(place, self._store) for place in places if place is not None}

    def note_files(self, names: tuple[str, ...]) -> None:
        """Keep which files of external data the model names; a thread reads them for the next `key`."""
        self._store.put("external", key(self.digest), "\0".join(names).encode())
        if names and self._store.is_on:
            self._ahead = Background(partial(self._digests, names))


@once
def build() -> str:
    """A digest of this package's compiler and of what it compiles with."""
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    digest = begun(repr((__version__, sys.version, np.__version__)).encode())
    digest.update(repr(sorted(_sources(root, ABOVE))).encode())
    for name in _COMPILERS:
        spec = PathFinder.find_spec(name)
        if spec is not None and spec.origin is not None:
            status = os.stat(spec.origin)
            digest.update(repr((spec.origin, status.st_size, status.st_mtime_ns)).encode())
    return digest.hexdigest()


def _sources(root: str, without: frozenset[str]) -> Iterator[tuple[str, int, int]]:
    """Path, size and time of each file; `without` those and folders of the root that have these names."""
    folders = [root]
    while folders:
        folder = folders.pop()
        with os.scandir(folder) as entries:
            for entry in entries:
                name, _, ending = entry.name.partition(".")
                if name == "__pycache__" or (folder is root and name in without):
                    continue
                if ending in ("py", "ll", "json"):
                    status = entry.stat()
                    yield entry.path, status.st_size, status.st_mtime_ns
                elif entry.is_dir():
                    folders.append(entry.path)
