"""Names make paths, refusals carry the server's words, and only what may succeed later is asked again."""

from __future__ import annotations

import ssl
from contextlib import ExitStack
from pathlib import Path

import httpx
import msgspec
import pytest

from sardonyx.client.exchange import (
    answered,
    authorities,
    body_of,
    check,
    file_parts,
    key_header,
    path_of,
    retry_pause_s,
    unreachable,
)
from sardonyx.protocol.errors import Code, ServeError


class Named(msgspec.Struct):
    name: str


def answer(status: int, content: bytes = b"", **headers: str) -> httpx.Response:
    return httpx.Response(
        status, content=content, headers={k.replace("_", "-"): v for k, v in headers.items()}
    )


def test_paths() -> None:
    assert path_of("/v1/models", "a b", "prod@2", "ü") == "/v1/models/a%20b/prod@2/%C3%BC"
    for bad in ("", "a/b", ".", ".."):
        with pytest.raises(ServeError, match="is not a valid name"):
            path_of("/v1", bad)


def test_requests(tmp_path: Path) -> None:
    assert (key_header(None), key_header("k")) == ({}, {"authorization": "Bearer k"})
    assert body_of(None) == {}
    assert body_of(Named("n"))["content"] == b'{"name":"n"}'
    for name in ("m", "s"):
        (tmp_path / name).write_bytes(name.encode())
    with ExitStack() as stack:
        parts = file_parts(stack, {"model.onnx": tmp_path / "m"}, str(tmp_path / "s"))
        assert [(kind, path, getattr(f, "read", lambda f=f: f)()) for kind, (path, f, _) in parts] == [
            ("file", "model.onnx", b"m"),
            ("samples", "samples.npz", b"s"),
        ]
    assert parts[0][1][1].closed


def test_records() -> None:
    check(answer(204))
    assert answered(answer(200, b'{"name": "n"}'), Named).name == "n"
    with pytest.raises(ServeError, match="cannot be read") as told:
        answered(answer(200, b"{}"), Named)
    assert told.value.code is Code.INTERNAL


@pytest.mark.parametrize("code", [c for c in Code if c is not Code.UNSUPPORTED], ids=lambda c: c.name)
def test_refusals_keep_their_code(code: Code) -> None:
    with pytest.raises(ServeError, match="in its words") as told:
        check(answer(code.http, b'{"error": "in its words"}', retry_after="3"))
    assert (told.value.code, told.value.retry_after_s) == (code, 3)


def test_refusals_of_others() -> None:
    for content in (b"<html>", b"[]", b'{"other": 1}'):
        with pytest.raises(ServeError, match="the server answered 418") as told:
            check(answer(418, content, retry_after="tomorrow"))
        assert (told.value.code, told.value.retry_after_s) == (Code.INTERNAL, None)


def test_what_is_asked_again() -> None:
    request = httpx.Request("GET", "http://x")
    pauses = [retry_pause_s(None, httpx.ConnectError("x", request=request), n, 3) for n in range(4)]
    assert pauses == [0.2, 0.4, 0.8, None]
    assert retry_pause_s(None, httpx.ReadTimeout("x", request=request), 0, 3) is None
    for status, headers, expected in (
        (503, {"retry_after": "1.5"}, 1.5),
        (429, {"retry_after": "0"}, 0),
        (503, {}, None),
        (503, {"retry_after": "60"}, None),
        (503, {"retry_after": "Mon, 1 Jan"}, None),
        (500, {"retry_after": "1"}, None),
        (200, {"retry_after": "1"}, None),
    ):
        assert retry_pause_s(answer(status, **headers), None, 0, 3) == expected


def test_no_answer() -> None:
    url = httpx.URL("http://x")
    assert unreachable(url, httpx.ReadTimeout("slow")).code is Code.DEADLINE
    error = unreachable(url, httpx.ConnectError(""))
    assert error.code is Code.UNAVAILABLE
    assert "http://x does not answer" in error.message
    assert "NoneType" in unreachable(url, None).message
    assert "SSL_CERT_FILE" not in error.message


def test_authorities_are_read_once_and_asked_of_every_server() -> None:
    known = authorities()
    assert known is authorities() and known is not authorities(trust_env=False)
    assert (
        known.verify_mode is ssl.CERT_REQUIRED
        and known.check_hostname
        and known.cert_store_stats()["x509_ca"]
    )
