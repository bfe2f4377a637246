"""Brings one file over HTTP: resumed where it broke off, verified, put in place whole or not at all.

Decides when a partial file may be continued and when a transfer has failed; knows no hub and no registry.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from sardonyx.base.progress import Progress
from sardonyx.zoo.asking import FetchError, checked, client, http, number, patiently

if TYPE_CHECKING:
    import httpx


@dataclass(frozen=True)
class Wanted:
    """A file to bring.

    Attributes:
        url: where it is.
        sha256: what it must be, if that is known.
        size: in bytes, if that is known.
        headers: for its host alone; they are not sent on when it redirects to another.
        label: what readers call it.
    """

    url: str
    sha256: str = ""
    size: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)
    label: str = ""


def bring(wanted: Wanted, target: Path, *, quiet: bool = False, refresh: bool = False) -> str:
    """Put the file at `target`; its sha256. A part that is there from before is continued.

    With `refresh`, a file that is there is brought again and stays until the new one is whole. Raises
    FetchError if it cannot be downloaded or differs from what is wanted; then `target` is as it was.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    with _alone(target):
        if target.is_file() and not refresh and (not wanted.sha256 or sha256(target) == wanted.sha256):
            return sha256(target)
        part = target.with_name(f"{target.name}.part")
        try:
            with client(wanted.headers) as asked:
                patiently(
                    wanted.label,
                    wanted.url,
                    lambda: _transfer(asked, wanted, part, quiet),
                    lambda: _size(part),
                )
            return _placed(wanted, part, target)
        except OSError as error:
            raise FetchError(f"{wanted.label}: {error}; is the disk full?") from error


def _placed(wanted: Wanted, part: Path, target: Path) -> str:
    found = sha256(part)
    if wanted.sha256 and found != wanted.sha256:
        part.unlink()
        raise FetchError(
            f"{wanted.label}: what {urlsplit(wanted.url).netloc} sends has sha256 {found}, and it must be "
            f"{wanted.sha256}; nothing was kept"
        )
    part.replace(target)
    _tag(part).unlink(missing_ok=True)
    return found


def _transfer(asked: httpx.Client, wanted: Wanted, part: Path, quiet: bool) -> None:
    """Bring what is missing of the part; a TransportError if the connection ends before the file does."""
    have, tag = _size(part), _read_tag(part)
    headers = {"Accept-Encoding": "identity"}
    if have and tag:
        headers |= {"Range": f"bytes={have}-", "If-Range": tag}
    with asked.stream("GET", wanted.url, headers=headers) as answer:
        if answer.status_code == 416 and have:
            part.unlink(missing_ok=True)
            raise http().RemoteProtocolError("what was kept is longer than the file")
        checked(answer, wanted.label)
        start, total = _extent(answer, have if "Range" in headers else 0)
        if wanted.size and total and total != wanted.size:
            raise FetchError(f"{wanted.label}: it has {total} bytes, and must have {wanted.size}")
        _tag(part).write_text(answer.headers.get("ETag", ""), encoding="utf-8")
        _write(answer, part, start, total, Progress(f"fetch {wanted.label}", total, "B", quiet=quiet))


def _extent(answer: httpx.Response, have: int) -> tuple[int, int]:
    """Where the bytes of an answer begin in the file, and how many that has, 0 if it is not told.

    FetchError if a partial answer is not what was asked for; a server may lie.
    """
    if _is_packed(answer):
        return 0, 0
    if answer.status_code == 200:
        return 0, number(answer.headers.get("Content-Length"))
    sent = answer.headers.get("Content-Range", "")
    if not sent.startswith(f"bytes {have}-"):
        raise FetchError(f"{answer.url}: asked for bytes from {have} on, the server sends {sent!r}")
    return have, number(sent.rpartition("/")[2])


def _is_packed(answer: httpx.Response) -> bool:
    """Whether a server packs what it sends though it is asked not to: lengths are not the file's then."""
    return str(answer.headers.get("Content-Encoding", "identity")).lower() != "identity"


def _write(answer: httpx.Response, part: Path, start: int, total: int, progress: Progress) -> None:
    with part.open("r+b" if start else "wb") as file, progress as bar:
        file.seek(start)
        file.truncate()
        done = start
        for block in answer.iter_bytes() if _is_packed(answer) else answer.iter_raw():
            file.write(block)
            done += len(block)
            bar.update(done)
    if total and done < total:
        raise http().RemoteProtocolError(f"{done} of {total} bytes came")
    if total and done > total:
        part.unlink()
        raise FetchError(f"{answer.url}: more than the {total} bytes came that the server told of")


def _tag(part: Path) -> Path:
    return part.with_name(f"{part.name}.etag")


def _read_tag(part: Path) -> str:
    tag = _tag(part)
    return tag.read_text(encoding="utf-8") if tag.is_file() else ""


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def sha256(path: Path) -> str:
    """The digest of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextlib.contextmanager
def _alone(target: Path) -> Iterator[None]:
    """One process at a time brings a file."""
    with target.with_name(f".{target.name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
