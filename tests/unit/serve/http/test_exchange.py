"""Bodies are read within their bound, however they come in parts; answers have the length they tell."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sardonyx.protocol.errors import Code, ServeError
from sardonyx.serve.http.exchange import Answer, Headers, on_disconnect, read_body, refuse, send_answer


def messages(*parts: bytes | None) -> Callable[[], Any]:
    """A client that sends these parts; None is its leaving."""
    left = list(parts)

    async def receive() -> dict[str, Any]:
        part = left.pop(0)
        if part is None:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": part, "more_body": bool(left)}

    return receive


@given(st.lists(st.binary(max_size=5), min_size=1, max_size=5), st.integers(0, 20))
def test_a_body_is_whole_or_too_large(parts: list[bytes], limit: int) -> None:
    whole = b"".join(parts)
    if len(whole) <= limit:
        assert asyncio.run(read_body(messages(*parts), Headers(()), limit)) == whole
    else:
        with pytest.raises(ServeError) as told:
            asyncio.run(read_body(messages(*parts), Headers(()), limit))
        assert told.value.code is Code.TOO_LARGE


@pytest.mark.parametrize(("told", "is_read"), [(b"10", True), (b"11", False), (b"9" * 30, False)])
def test_a_body_that_is_told_to_be_too_large_is_not_waited_for(told: bytes, is_read: bool) -> None:
    headers = Headers([(b"content-length", told)])
    if is_read:
        assert asyncio.run(read_body(messages(b"a" * 10), headers, 10)) == b"a" * 10
        return
    with pytest.raises(ServeError) as refused:
        asyncio.run(read_body(messages(), headers, 10))
    assert refused.value.code is Code.TOO_LARGE


@pytest.mark.parametrize("parts", [(None,), (b"a", None)])
def test_a_client_that_leaves(parts: Any) -> None:
    with pytest.raises(ServeError) as told:
        asyncio.run(read_body(messages(*parts), Headers(()), 10))
    assert told.value.code is Code.CANCELLED


def test_headers() -> None:
    headers = Headers([(b"a", b"\xe9"), (b"length", b"12"), (b"bad", b"-1"), (b"long", b"1" * 19)])
    assert (headers["a"], headers.get("a"), headers.get("b"), headers.get("b", "c")) == ("é", "é", None, "c")
    assert (headers.get("ü€"), len(headers), "a" in headers) == (None, 4, True)
    assert dict(headers)["length"] == "12"
    assert (headers.number(b"length"), headers.number(b"none")) == (12, None)
    for name in (b"bad", b"long"):
        with pytest.raises(ServeError, match="must be a number"):
            headers.number(name)


SCOPE: Any = {"headers": []}


def sent(work: Callable[[Any], Any]) -> tuple[int, dict[bytes, bytes], bytes]:
    got: list[Any] = []

    async def send(message: Any) -> None:
        got.append(message)

    asyncio.run(work(send))
    start, *bodies = got
    assert [b.get("more_body", False) for b in bodies] == [True] * (len(bodies) - 1) + [False]
    return start["status"], dict(start["headers"]), b"".join(bytes(b["body"]) for b in bodies)


def test_an_answer_tells_its_length() -> None:
    answer = Answer(b"{}", extra=[(b"x", b"y")], blobs=[memoryview(b"abc"), memoryview(b"")], status=201)
    status, headers, body = sent(lambda send: send_answer(send, answer))
    assert (status, body, headers[b"x"]) == (201, b"{}abc", b"y")
    assert int(headers[b"content-length"]) == len(body)


def test_a_refusal_says_when_to_try_again() -> None:
    status, headers, body = sent(lambda send: refuse(send, ServeError(Code.QUOTA, "slowly", 1.2), SCOPE))
    assert (status, orjson.loads(body), headers[b"retry-after"]) == (429, {"error": "slowly"}, b"2")
    assert b"retry-after" not in sent(lambda send: refuse(send, ServeError(Code.QUOTA, "no"), SCOPE))[1]


@pytest.mark.parametrize("stays", [False, True])
def test_who_leaves_is_told(stays: bool) -> None:
    left = []

    async def run() -> None:
        stop = on_disconnect(messages(None), lambda: left.append(True))
        if stays:
            stop()
        await asyncio.sleep(0.001)

    asyncio.run(run())
    assert left == ([] if stays else [True])
