"""Which addresses are asked, how often, and what is said when that does not help."""

from __future__ import annotations

import httpx
import pytest

from sardonyx.zoo import asking
from sardonyx.zoo.asking import Busy, FetchError, checked, number, patiently, safe

URL = "https://host/x"


@pytest.fixture
def waited(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    found: list[float] = []
    monkeypatch.setattr(asking.time, "sleep", found.append)
    return found


@pytest.mark.parametrize("url", ["https://host/x", "http://127.0.0.1:8000/x", "http://localhost/x"])
def test_addresses_that_are_asked(url: str) -> None:
    assert safe(url) == url


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://host/x", "only https:// is asked"),
        ("ftp://host/x", "only https:// is asked"),
        ("https:///x", "names no server"),
        ("https://host:port/x", "is not an address: Port could not be cast"),
        ("https://[::/x", "is not an address: Invalid IPv6"),
    ],
)
def test_addresses_that_are_not(url: str, said: str) -> None:
    with pytest.raises(FetchError, match=said):
        safe(url)


def test_five_tries_in_a_row(waited: list[float]) -> None:
    tries: list[int] = []

    def ask() -> None:
        tries.append(1)
        raise httpx.ConnectError("refused")

    with pytest.raises(FetchError, match=r"^it: host cannot be reached or breaks off \(refused\)$"):
        patiently("it", URL, ask)
    assert len(tries) == 5 and waited == [0.5, 1, 2, 4]


def test_a_try_that_brings_something_is_no_failure(waited: list[float]) -> None:
    brought: list[int] = []

    def ask() -> str:
        brought.append(1)
        if len(brought) < 10:
            raise ConnectionError
        return "whole"

    assert patiently("it", URL, ask, lambda: len(brought)) == "whole"
    assert waited == [0.5] * 9


def test_what_is_kept_is_said(waited: list[float]) -> None:
    def ask() -> None:
        raise Busy(503, 0)

    with pytest.raises(
        FetchError, match=r"host is busy \(it answers 503\); try again later; 7 bytes are kept"
    ):
        patiently("it", URL, ask, lambda: 7)
    assert len(waited) == 4


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (httpx.TooManyRedirects("40"), "redirects in a circle"),
        (httpx.InvalidURL("port"), "is not an address: port"),
    ],
)
def test_what_is_not_asked_again(error: Exception, said: str, waited: list[float]) -> None:
    def ask() -> None:
        raise error

    with pytest.raises(FetchError, match=said):
        patiently("it", URL, ask)
    assert not waited


def answer(status: int, **headers: str) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.Response(status, headers=named, request=httpx.Request("GET", URL))


def test_what_an_answer_means() -> None:
    for status in (200, 206):
        checked(answer(status), "it")
    for status, seconds, told in ((429, 12, "12"), (503, 0, "Mon, 30 Nov 2026 12:00:00 GMT"), (500, 0, "-1")):
        with pytest.raises(Busy, match=f"it answers {status}") as raised:
            checked(answer(status, Retry_After=told), "it")
        assert raised.value.seconds == seconds
    for status, said in ((404, "there is no such file"), (418, "the server answers 418")):
        with pytest.raises(FetchError, match=rf"it: {said} \(host\)"):
            checked(answer(status), "it")


@pytest.mark.parametrize(
    ("text", "found"), [("12", 12), (12, 12), ("many", 0), (None, 0), (-1, 0), ("²", 0), ([1], 0)]
)
def test_numbers_of_servers(text: object, found: int) -> None:
    assert number(text) == found
