"""What both clients share: paths, bodies, what an answer means and when to ask again.

Must not know which operation is asked for.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Mapping
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

import httpx
import msgspec

from sardonyx.protocol.errors import Code, ServeError, invalid

T = TypeVar("T")

_PAUSE_S, _LONGEST_PAUSE_S = 0.2, 10.0
_BY_STATUS = {code.http: code for code in reversed(Code)}


@cache
def authorities(*, trust_env: bool = True) -> ssl.SSLContext:
    """Whom clients trust unless told otherwise, read once a process: it takes longer than many a request."""
    return httpx.create_ssl_context(trust_env=trust_env)


def context_of(verify: Any, certificate: str | Path | None, key: str | Path | None) -> Any:
    """What httpx trusts and shows: `verify` as httpx takes it, and a certificate with its key from PEM files.

    Those that are not given come from SARDONYX_CERTIFICATE and SARDONYX_CERTIFICATE_KEY, but for a context of
    the caller's own. Without a key, the file of the certificate holds it. ServeError INVALID_ARGUMENT if they
    are not a certificate and its key.
    """
    if certificate is None and not isinstance(verify, ssl.SSLContext):
        certificate = os.environ.get("SARDONYX_CERTIFICATE")
        key = key or os.environ.get("SARDONYX_CERTIFICATE_KEY")
    if not certificate:
        return authorities() if verify is True else verify
    context = verify if isinstance(verify, ssl.SSLContext) else httpx.create_ssl_context(verify=verify)
    try:
        context.load_cert_chain(certificate, key or None, password=b"")
    except OSError as error:
        beside = f" with the key {key}" if key else ""
        raise invalid(f"the certificate {certificate}{beside} cannot be shown: {error}") from None
    return context


def path_of(prefix: str, *segments: str) -> str:
    """A path of segments that are names. Raises ServeError INVALID_ARGUMENT for what cannot be one."""
    for segment in segments:
        if not segment or "/" in segment or segment in (".", ".."):
            raise invalid(f"{segment!r} is not a valid name: it is one segment of a path, without '/'")
    return "/".join((prefix, *(quote(segment, safe="@") for segment in segments)))


def key_header(key: str | None) -> dict[str, str]:
    """The header that carries a key."""
    return {"authorization": f"Bearer {key}"} if key else {}


def body_of(body: Any) -> dict[str, Any]:
    """A record or a document as the options of a request."""
    if body is None:
        return {}
    return {"content": msgspec.json.encode(body), "headers": {"content-type": "application/json"}}


def file_parts(stack: ExitStack, content: Mapping[str, Path], samples: str) -> list[tuple[str, Any]]:
    """The parts of a form that upload a version; the files stay open as long as `stack`."""
    parts: list[tuple[str, Any]] = [
        ("file", (path, stack.enter_context(file.open("rb")), "application/octet-stream"))
        for path, file in content.items()
    ]
    if samples:
        numbers = Path(samples).read_bytes()
        parts.append(("samples", ("samples.npz", numbers, "application/octet-stream")))
    return parts


def check(answer: httpx.Response) -> None:
    """Raise ServeError with the server's words if the answer is a refusal."""
    if answer.status_code >= 300:
        raise _refusal(answer)


def answered(answer: httpx.Response, type_: type[T]) -> T:
    """The record in an answer. Raises ServeError with the server's words."""
    check(answer)
    try:
        return msgspec.json.decode(answer.content, type=type_)
    except msgspec.DecodeError as error:
        raise ServeError(Code.INTERNAL, f"the server's answer cannot be read: {error}") from error


def retry_pause_s(
    answer: httpx.Response | None, failure: httpx.HTTPError | None, attempt: int, retries: int
) -> float | None:
    """How long to wait before the same request is sent again; None if it is not.

    Again is asked what the server refused for now, and what never reached it.
    """
    if attempt >= retries:
        return None
    if answer is None:
        return (
            _PAUSE_S * 2**attempt if isinstance(failure, httpx.ConnectError | httpx.ConnectTimeout) else None
        )
    if answer.status_code not in (429, 503) or "retry-after" not in answer.headers:
        return None
    try:
        pause_s = float(answer.headers["retry-after"])
    except ValueError:
        return None
    return pause_s if pause_s <= _LONGEST_PAUSE_S else None


def unreachable(url: httpx.URL, failure: httpx.HTTPError | None) -> ServeError:
    """The error of a request without an answer."""
    code = Code.DEADLINE if isinstance(failure, httpx.TimeoutException) else Code.UNAVAILABLE
    words = str(failure or type(failure).__name__)
    if "CERTIFICATE_VERIFY_FAILED" in words:
        words += "; SSL_CERT_FILE names a file of the authorities that are trusted"
    elif url.scheme == "https" and isinstance(failure, httpx.RemoteProtocolError | httpx.ReadError):
        words += "; to a server that asks for it, the certificate is shown that SARDONYX_CERTIFICATE names"
    return ServeError(code, f"{url} does not answer: {words}")


def _refusal(answer: httpx.Response) -> ServeError:
    try:
        message = str(msgspec.json.decode(answer.content)["error"])
    except (msgspec.DecodeError, KeyError, TypeError):
        message = f"the server answered {answer.status_code} {answer.reason_phrase}"
    code = _BY_STATUS.get(answer.status_code, Code.INTERNAL)
    try:
        retry_after_s: float | None = float(answer.headers["retry-after"])
    except (KeyError, ValueError):
        retry_after_s = None
    return ServeError(code, message, retry_after_s)
