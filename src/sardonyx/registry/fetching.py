"""Brings what is to be registered onto this machine: a path, an http(s) URL, an object store, the Hub.

Decides which sources may be named by whom: paths and object stores only where the server allows them, since
they are read with the server's rights. Must not know what is registered.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

import fsspec

from sardonyx.client.outbound import Outbound, shown
from sardonyx.protocol.errors import Code, ServeError, invalid

_FOLDERS = ("s3", "gs", "gcs", "az", "abfs", "abfss", "hf", "memory")


@dataclass(frozen=True, slots=True)
class Fetching:
    """What may be fetched.

    `paths` allows files of this machine, `stores` are the beginnings of object store URLs that are allowed
    ("" allows all), `limit_bytes` bounds what is downloaded.
    """

    paths: bool = False
    stores: tuple[str, ...] = ()
    outbound: Outbound = field(default_factory=Outbound)
    limit_bytes: int = 16 << 30

    def fetched(self, source: str, into: Path) -> Path:
        """The local file or folder of `source`; downloads go into the folder `into`.

        Raises ServeError INVALID_ARGUMENT if the source is not allowed, NOT_FOUND, UNAVAILABLE, TOO_LARGE.
        """
        scheme = urlsplit(source).scheme.lower() if "://" in source else ""
        if scheme in ("http", "https"):
            target = into / (PurePosixPath(urlsplit(source).path).name or "model.onnx")
            self.outbound.download(source, target, self.limit_bytes)
            return target
        if scheme in _FOLDERS:
            return self._from_store(source, into)
        if scheme:
            known = ", ".join(("http", "https", *_FOLDERS[:-1]))
            raise invalid(f"{source!r}: sources are paths and URLs of {known}")
        if not self.paths:
            raise invalid(
                "this server registers from URLs and uploads, not from paths of its own machine; "
                "upload the file instead"
            )
        return Path(source).expanduser()

    def _from_store(self, source: str, into: Path) -> Path:
        if not any(source.startswith(prefix) for prefix in self.stores):
            raise invalid(
                f"{shown(source)} is read with the rights of the server; allow it with --allow-source PREFIX"
            )
        try:
            files, path = fsspec.core.url_to_fs(source)
            if files.isfile(path):
                self._bounded(files.size(path), source)
                files.get_file(path, str(into / PurePosixPath(path).name))
                return into / PurePosixPath(path).name
            found = {name: row["size"] for name, row in files.find(path, detail=True).items()}
            if not found:
                raise ServeError(Code.NOT_FOUND, f"{source} holds nothing")
            self._bounded(sum(found.values()), source)
            for name in found:
                target = into / PurePosixPath(name).relative_to(path.rstrip("/"))
                target.parent.mkdir(parents=True, exist_ok=True)
                files.get_file(name, str(target))
        except ImportError as error:
            raise invalid(f"{source} needs another package: {error}") from error
        except FileNotFoundError as error:
            raise ServeError(Code.NOT_FOUND, f"{source}: there is no such file") from error
        except OSError as error:
            raise ServeError(Code.UNAVAILABLE, f"{shown(source)} cannot be read: {error}") from error
        return into

    def _bounded(self, size: int, source: str) -> None:
        if size > self.limit_bytes:
            raise ServeError(Code.TOO_LARGE, f"{source} has {size} bytes; {self.limit_bytes} are the limit")
