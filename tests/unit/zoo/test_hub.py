"""What the hub tells of a file before it is brought, and its refusals in words."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sardonyx.zoo import asking, hub
from sardonyx.zoo.asking import FetchError
from sardonyx.zoo.references import MIRRORS, Reference, parse
from tests.zoo.server import Shelf, digest, serving


def asked_for(text: str = "hf://org/net@v1/m.onnx") -> Reference:
    return parse(text)


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shelf]:
    for name in ("HF_TOKEN", MIRRORS):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    monkeypatch.setattr(asking, "PAUSE_SECONDS", 0.001)
    with serving(Shelf()) as made:
        monkeypatch.setenv("HF_ENDPOINT", made.url("/"))
        yield made


def test_address_digest_and_size(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "mine")
    shelf.files["/org/net/resolve/v1/sub%20dir/m.onnx"] = b"model"
    found = hub.wanted(asked_for("hf://org/net@v1/sub dir/m.onnx"))
    assert (found.sha256, found.size) == (digest(b"model"), 5)
    assert found.url == shelf.url("/org/net/resolve/v1/sub%20dir/m.onnx")
    assert found.headers == {"Authorization": "Bearer mine"}
    ((method, _, headers),) = shelf.asked
    assert method == "HEAD" and headers["authorization"] == "Bearer mine"


def test_a_revision_may_be_written_either_way(shelf: Shelf) -> None:
    shelf.files["/org/net/resolve/refs%2Fpr%2F1/m.onnx"] = b"model"
    assert hub.wanted(asked_for("hf://org/net@refs%2Fpr%2F1/m.onnx")).size == 5


def test_a_busy_hub_is_asked_again(shelf: Shelf) -> None:
    path = "/org/net/resolve/v1/m.onnx"
    shelf.files[path], shelf.faults[path] = b"model", ["HEAD status=503", "HEAD status=429", "HEAD redirect"]
    assert hub.wanted(asked_for()).sha256 == "" and len(shelf.asked) == 3


def test_a_tag_that_is_no_digest_is_none(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    shelf.files["/org/net/resolve/v1/m.onnx"] = b"model"
    monkeypatch.setattr("tests.zoo.server.digest", lambda data: "W/abc")
    assert hub.wanted(asked_for()).sha256 == ""


def test_refusals(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(FetchError, match=r"hf://org/net@v1/m\.onnx: there is no such file"):
        hub.wanted(asked_for())
    shelf.token = "other"
    with pytest.raises(FetchError, match="a token is needed or the one given is not valid"):
        hub.wanted(asked_for())
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:1")
    with pytest.raises(FetchError, match=r"127\.0\.0\.1:1 cannot be reached or breaks off \(.+\)"):
        hub.wanted(asked_for())


def test_a_mirror_of_the_hub(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_ENDPOINT")
    monkeypatch.setenv(MIRRORS, f"{hub.ENDPOINT}={shelf.url('/here')}")
    shelf.files["/here/org/net/resolve/v1/m.onnx"] = b"model"
    assert hub.wanted(asked_for()).url == shelf.url("/here/org/net/resolve/v1/m.onnx")
