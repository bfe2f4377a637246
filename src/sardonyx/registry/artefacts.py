"""Content by its SHA-256: immutable files in a folder or under any fsspec URL, and the folders made of them.

Decides when a file counts as stored (whole, verified, on disk) and that what is read back is what was stored.
Must not know models.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import IO, Any

import fsspec

from sardonyx.protocol.errors import Code, ServeError, invalid
from sardonyx.protocol.records import File

_CHUNK = 1 << 20
_STALE_S = 24 * 3600


def digest_of(files: Iterable[File]) -> str:
    """The digest of a set of files: SHA-256 over their paths and contents, in the order of paths."""
    rows = sorted((file.path, file.sha256, file.size_bytes) for file in files)
    return hashlib.sha256(json.dumps(rows, separators=(",", ":")).encode()).hexdigest()


class ArtefactStore:
    """Files by their SHA-256 below `location`, a folder or an fsspec URL such as `s3://bucket/models`."""

    def __init__(self, location: str | os.PathLike[str], work: Path) -> None:
        self._files, self._root = fsspec.core.url_to_fs(os.fspath(location))
        self._local = Path(self._root) if "file" in _protocols(self._files) else None
        self._called = self._root if self._local is not None else self._files.unstrip_protocol(self._root)
        self._work = work
        work.mkdir(parents=True, exist_ok=True)
        if self._local is not None:
            self._local.mkdir(parents=True, exist_ok=True)
        self._sweep()

    def put(self, content: Mapping[str, Path]) -> list[File]:
        """Store files under these paths; what is there already is not written again.

        Raises ServeError UNAVAILABLE if the store is full or cannot be reached; nothing half remains.
        """
        with _explained(f"the artefact store {self._called}"):
            return [self._put(source, path) for path, source in sorted(content.items())]

    def open(self, sha256: str) -> IO[bytes]:
        """The bytes of a file. Raises ServeError NOT_FOUND."""
        try:
            with self._reached():
                return self._files.open(self._path(sha256), "rb")  # type: ignore[no-any-return]
        except FileNotFoundError:
            raise ServeError(Code.NOT_FOUND, f"the artefact {sha256} is not in the store") from None

    def materialise(self, digest: str, files: Iterable[File]) -> Path:
        """A local folder with these files under their paths; made once, every byte verified.

        Raises ServeError UNAVAILABLE if an artefact is missing or damaged: it names the file.
        """
        folder = self._work / "versions" / digest
        if folder.is_dir():
            os.utime(folder)
            return folder
        folder.parent.mkdir(parents=True, exist_ok=True)
        with _explained(f"the folder {folder.parent}"), self._scratch() as fresh:
            for file in files:
                self._fetch(file, fresh / _safe(file.path))
            with contextlib.suppress(OSError):
                fresh.rename(folder)
        if not folder.is_dir():
            raise ServeError(Code.UNAVAILABLE, f"{folder} could not be made")
        return folder

    def verify(self, files: Iterable[File]) -> list[str]:
        """What is wrong with these files in the store; nothing if they are whole."""
        wrong = []
        for file in files:
            try:
                with self.open(file.sha256) as stream, self._reached():
                    whole = _hash(_chunks(stream)) == file.sha256
            except ServeError as error:
                if error.code is not Code.NOT_FOUND:
                    raise
                wrong.append(f"{file.path}: {file.sha256} is missing")
            else:
                if not whole:
                    wrong.append(f"{file.path}: {file.sha256} is damaged")
        return wrong

    def missing(self, files: Iterable[File]) -> bool:
        """Whether one of these files is not in the store."""
        with self._reached():
            return any(not self._files.exists(self._path(file.sha256)) for file in files)

    def remove(self, sha256: Iterable[str]) -> None:
        """Forget these files; the caller knows that no version needs them."""
        for name in sha256:
            with contextlib.suppress(FileNotFoundError), self._reached():
                self._files.rm_file(self._path(name))

    def forget_folder(self, digest: str) -> None:
        """Remove the local folder of a digest."""
        shutil.rmtree(self._work / "versions" / digest, ignore_errors=True)

    def prune(self, needed: Collection[str]) -> None:
        """Remove local folders of digests that are not needed and were not for a day."""
        for folder in (self._work / "versions").glob("*"):
            with contextlib.suppress(OSError):
                if folder.name not in needed and time.time() - folder.stat().st_mtime > _STALE_S:
                    shutil.rmtree(folder)

    @contextlib.contextmanager
    def scratch(self) -> Iterator[Path]:
        """A new folder that is gone afterwards."""
        with _explained(f"the folder {self._work}"), self._scratch() as folder:
            yield folder

    @contextlib.contextmanager
    def _scratch(self) -> Iterator[Path]:
        parent = self._work / "incoming"
        parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(dir=parent))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _put(self, source: Path, path: str) -> File:
        with source.open("rb") as stream:
            sha256 = _hash(_chunks(stream))
        file = File(path=path, sha256=sha256, size_bytes=source.stat().st_size)
        if self._is_whole(file):
            return file
        if self._local is not None:
            _copy_durably(source, Path(self._path(sha256)), sha256)
        else:
            with self._reached(writes=True):
                self._files.put_file(str(source), self._path(sha256))
        return file

    def _is_whole(self, file: File) -> bool:
        """A file of the right size that is not whole is written again: storing mends the store."""
        try:
            with self._reached():
                if self._files.size(self._path(file.sha256)) != file.size_bytes:
                    return False
        except FileNotFoundError:
            return False
        return not self.verify([file]) if self._local is not None else True

    def _fetch(self, file: File, to: Path) -> None:
        to.parent.mkdir(parents=True, exist_ok=True)
        hasher = hashlib.sha256()
        if self.missing([file]):
            raise self._lost(file, "missing")
        with self.open(file.sha256) as source, to.open("wb") as target:
            while chunk := self._read(source):
                hasher.update(chunk)
                target.write(chunk)
        if hasher.hexdigest() != file.sha256:
            raise self._lost(file, "damaged")

    def _read(self, source: IO[bytes]) -> bytes:
        with self._reached():
            return source.read(_CHUNK)

    @contextlib.contextmanager
    def _reached(self, *, writes: bool = False) -> Iterator[None]:
        """Whatever a store elsewhere raises means that it cannot be used, but that it has not got something.

        A place to write to that is not found is a store that is gone.
        """
        try:
            yield
        except ServeError:
            raise
        except Exception as error:
            if self._local is not None or (isinstance(error, FileNotFoundError) and not writes):
                raise
            text = f"the artefact store {self._called} cannot be used: {error}"
            raise ServeError(Code.UNAVAILABLE, text, 2.0) from error

    def _lost(self, file: File, how: str) -> ServeError:
        return ServeError(
            Code.UNAVAILABLE,
            f"the artefact {file.sha256} ({file.path}) is {how} in the store {self._called}; "
            "register the same file again to mend it",
        )

    def _path(self, sha256: str) -> str:
        if len(sha256) != 64 or not set(sha256) <= set("0123456789abcdef"):
            raise invalid(f"{sha256!r} is not a SHA-256")
        return str(PurePosixPath(self._root) / "sha256" / sha256[:2] / sha256)

    def _sweep(self) -> None:
        """Remove what processes that were killed left behind."""
        left = list((self._work / "incoming").glob("*"))
        if self._local is not None:
            left += (self._local / "sha256/incoming").glob("*")
        for path in left:
            with contextlib.suppress(OSError):
                if time.time() - path.stat().st_mtime < _STALE_S:
                    continue
                if path.is_dir():
                    shutil.rmtree(path)
                else:
                    path.unlink()


def files_of(rows: Mapping[str, Any]) -> list[File]:
    """Files as a version row keeps them: path -> [sha256, size]."""
    return [File(path=path, sha256=row[0], size_bytes=row[1]) for path, row in sorted(rows.items())]


def _protocols(filesystem: Any) -> tuple[str, ...]:
    protocol = filesystem.protocol
    return (protocol,) if isinstance(protocol, str) else tuple(protocol)


def _safe(path: str) -> PurePosixPath:
    parsed = PurePosixPath(path)
    if parsed.is_absolute() or ".." in parsed.parts or "\\" in path or not parsed.parts:
        raise invalid(f"{path!r} does not stay in its folder")
    return parsed


def _copy_durably(source: Path, target: Path, sha256: str) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    incoming = target.parent.parent / "incoming"
    incoming.mkdir(exist_ok=True)
    handle, name = tempfile.mkstemp(dir=incoming)
    try:
        hasher = hashlib.sha256()
        with os.fdopen(handle, "wb") as stream, source.open("rb") as original:
            for chunk in _chunks(original):
                hasher.update(chunk)
                stream.write(chunk)
            stream.flush()
            os.fsync(stream.fileno())
        if hasher.hexdigest() != sha256:
            raise ServeError(Code.CONFLICT, f"{source.name} changed while it was read; register it again")
        Path(name).replace(target)
        _sync_folder(target.parent)
    finally:
        Path(name).unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _chunks(stream: IO[bytes]) -> Iterator[bytes]:
    while chunk := stream.read(_CHUNK):
        yield chunk


def _hash(chunks: Iterable[bytes]) -> str:
    hasher = hashlib.sha256()
    for chunk in chunks:
        hasher.update(chunk)
    return hasher.hexdigest()


@contextlib.contextmanager
def _explained(where: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if isinstance(error, FileNotFoundError | IsADirectoryError | NotADirectoryError):
            raise
        raise ServeError(Code.UNAVAILABLE, f"{where} cannot be written: {error.strerror or error}") from error
