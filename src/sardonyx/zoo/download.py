"""Brings one file over HTTP: resumed where it broke off, verified, put in place whole or not at all.

Decides when a partial file may be continued and when a transfer has failed; knows no hub and no registry.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import importlib
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from sardonyx.base.progress import Progress
from sardonyx.errors import SardonyxError

if TYPE_CHECKING:
    import httpx

TRIES = 5
PAUSE_SECONDS = 0.5
TIMEOUT_SECONDS = 30.0
REFUSALS = {
    401: "a token is needed or the one given is not valid",
    403: "the token given may not read it, or its terms were not accepted yet",
    404: "there is no such file",
    410: "it is not there any more",
}


class FetchError(SardonyxError):
    """A file could not be brought; the message says which, why, and what to do."""


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


def http() -> Any:
    """The module httpx; FetchError if it is not installed."""
    try:
        return importlib.import_module("httpx")
    except ImportError as error:
        raise FetchError("fetching over the network needs httpx; pip install 'sardonyx[zoo]'") from error


def client(headers: Mapping[str, str]) -> httpx.Client:
    """A client that follows redirects, keeps tokens to their host, and gives up on silence."""
    module = http()
    made: httpx.Client = module.Client(headers=dict(headers), follow_redirects=True, timeout=TIMEOUT_SECONDS)
    return made


def safe(url: str) -> str:
    """The address if it may be asked; FetchError for plain HTTP to another machine and for other schemes."""
    parts = urlsplit(url)
    if parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in ("127.0.0.1", "localhost")):
        return url
    raise FetchError(f"{url}: only https:// is asked (http:// on this machine alone)")


def bring(wanted: Wanted, target: Path, *, quiet: bool = False) -> str:
    """Put the file at `target`; its sha256. A part that is there from before is continued.

    Raises FetchError if it cannot be downloaded or differs from what is wanted; then `target` does not exist.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    with _alone(target):
        if target.is_file() and (not wanted.sha256 or sha256(target) == wanted.sha256):
            return sha256(target)
        part = target.with_name(f"{target.name}.part")
        failures = 0
        with client(wanted.headers) as http_client:
            while True:
                before = _size(part)
                try:
                    _transfer(http_client, wanted, part, quiet)
                    break
                except (http().TransportError, ConnectionError) as error:
                    failures = 1 if _size(part) > before else failures + 1
                    if failures >= TRIES:
                        raise FetchError(_broken(wanted, part, error)) from error
                    time.sleep(PAUSE_SECONDS * 2 ** (failures - 1))
                except OSError as error:
                    raise FetchError(f"{wanted.label}: {error}; is the disk full?") from error
        return _placed(wanted, part, target)


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


def _transfer(http_client: httpx.Client, wanted: Wanted, part: Path, quiet: bool) -> None:
    """Bring what is missing of the part; a TransportError if the connection ends before the file does."""
    have, tag = _size(part), _read_tag(part)
    headers = {"Accept-Encoding": "identity"}
    if have and tag:
        headers |= {"Range": f"bytes={have}-", "If-Range": tag}
    with http_client.stream("GET", safe(wanted.url), headers=headers) as answer:
        safe(str(answer.url))
        if answer.status_code == 416:
            part.unlink(missing_ok=True)
            raise http().RemoteProtocolError("what was kept is longer than the file")
        if answer.status_code >= 500 or answer.status_code == 429:
            raise http().RemoteProtocolError(f"the server answers {answer.status_code}")
        if answer.status_code not in (200, 206):
            why = REFUSALS.get(answer.status_code, f"the server answers {answer.status_code}")
            raise FetchError(f"{wanted.label}: {why} ({urlsplit(wanted.url).netloc})")
        start = have if answer.status_code == 206 and _starts_at(answer, have) else 0
        total = start + int(answer.headers.get("Content-Length") or 0)
        if wanted.size and total and total != wanted.size:
            raise FetchError(f"{wanted.label}: it has {total} bytes, and must have {wanted.size}")
        _tag(part).write_text(answer.headers.get("ETag", ""), encoding="utf-8")
        _write(answer, part, start, total, Progress(f"fetch {wanted.label}", total, "B", quiet=quiet))


def _write(answer: httpx.Response, part: Path, start: int, total: int, progress: Progress) -> None:
    with part.open("r+b" if start else "wb") as file, progress as bar:
        file.seek(start)
        file.truncate()
        done = start
        for block in answer.iter_raw():
            file.write(block)
            done += len(block)
            bar.update(done)
    if total > start and done != total:
        raise http().RemoteProtocolError(f"{done} of {total} bytes came")


def _starts_at(answer: httpx.Response, have: int) -> bool:
    """Whether a partial answer is what was asked for; a server may lie."""
    sent = answer.headers.get("Content-Range", "")
    if not sent.startswith(f"bytes {have}-"):
        raise FetchError(f"{answer.url}: asked for bytes from {have} on, the server sends {sent!r}")
    return True


def _broken(wanted: Wanted, part: Path, error: Exception) -> str:
    kept = f"; {_size(part)} bytes are kept and continued next time" if _size(part) else ""
    said = str(error) or type(error).__name__
    return f"{wanted.label}: {urlsplit(wanted.url).netloc} cannot be reached or breaks off ({said}){kept}"


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
