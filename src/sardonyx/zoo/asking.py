"""Asks servers over HTTP, with patience where they are busy or break off.

Decides which addresses may be asked, what is asked again and how often, and how refusals are told.
"""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from sardonyx.errors import SardonyxError

if TYPE_CHECKING:
    import httpx

T = TypeVar("T")
TRIES = 5
PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 60.0
TIMEOUT_SECONDS = 30.0
LATER = (408, 425, 429)
REFUSALS = {
    401: "a token is needed or the one given is not valid",
    403: "the token given may not read it, or its terms were not accepted yet",
    404: "there is no such file",
    410: "it is not there any more",
}


class FetchError(SardonyxError):
    """A file could not be brought; the message says which, why, and what to do."""


class Busy(Exception):  # noqa: N818
    """A server answers, but not now; `seconds` is how long it asks to wait."""

    def __init__(self, status: int, seconds: float) -> None:
        super().__init__(f"it answers {status}")
        self.seconds = seconds


def http() -> Any:
    """The module httpx; FetchError if it is not installed."""
    try:
        return importlib.import_module("httpx")
    except ImportError as error:
        raise FetchError("fetching over the network needs httpx; pip install 'sardonyx[zoo]'") from error


def client(headers: Mapping[str, str]) -> httpx.Client:
    """A client that follows redirects on safe ways, keeps tokens to their host, and gives up on silence."""
    made: httpx.Client = http().Client(
        headers=dict(headers),
        follow_redirects=True,
        timeout=TIMEOUT_SECONDS,
        event_hooks={"request": [lambda request: safe(str(request.url))]},
    )
    return made


def safe(url: str) -> str:
    """The address if it may be asked; FetchError for plain HTTP to another machine and for other schemes."""
    try:
        parts = urlsplit(url)
        scheme, host, _ = parts.scheme, parts.hostname, parts.port
    except ValueError as error:
        raise FetchError(f"{url} is not an address: {error}") from error
    if not host:
        raise FetchError(f"{url} names no server")
    if scheme == "https" or (scheme == "http" and host in ("127.0.0.1", "localhost")):
        return url
    raise FetchError(f"{url}: only https:// is asked (http:// on this machine alone)")


def patiently(label: str, url: str, ask: Callable[[], T], kept: Callable[[], int] = lambda: 0) -> T:
    """What `ask` gives; asked again while the server is busy or breaks off, five times in a row.

    Args:
        label: what readers call it that is asked for.
        url: where it is asked for.
        ask: raises Busy, errors of httpx or of the system.
        kept: the bytes that are here; a try that brings some is no failure.
    """
    failures, host = 0, urlsplit(url).netloc
    while True:
        before = kept()
        try:
            return ask()
        except http().TooManyRedirects as error:
            raise FetchError(f"{label}: {host} redirects in a circle") from error
        except http().InvalidURL as error:
            raise FetchError(f"{label}: {url} is not an address: {error}") from error
        except (http().TransportError, ConnectionError, Busy) as error:
            failures = 1 if kept() > before else failures + 1
            asked = error.seconds if isinstance(error, Busy) else 0.0
            pause = max(PAUSE_SECONDS * 2 ** (failures - 1), asked)
            if failures >= TRIES or pause > LONGEST_PAUSE_SECONDS:
                raise FetchError(f"{label}: {_given_up(host, error, asked, kept())}") from error
            time.sleep(pause)


def _given_up(host: str, error: Exception, asked: float, kept: int) -> str:
    again = f"; {kept} bytes are kept and continued next time" if kept else ""
    if isinstance(error, Busy):
        when = f"in {asked:.0f} seconds" if asked > LONGEST_PAUSE_SECONDS else "later"
        return f"{host} is busy ({error}); try again {when}{again}"
    return f"{host} cannot be reached or breaks off ({str(error) or type(error).__name__}){again}"


def checked(answer: httpx.Response, label: str) -> None:
    """Pass if the answer holds what was asked for; Busy if it will later, else FetchError."""
    status = answer.status_code
    if status in LATER or status >= 500:
        raise Busy(status, float(number(answer.headers.get("Retry-After"))))
    if status not in (200, 206):
        why = REFUSALS.get(status, f"the server answers {status}")
        raise FetchError(f"{label}: {why} ({answer.url.netloc.decode()})")


def number(text: Any) -> int:
    """A count that a server tells; 0 if it tells none, or nonsense."""
    return int(text) if isinstance(text, int | str) and str(text).isascii() and str(text).isdigit() else 0
