"""Which layer of an artefact is the model, with which token, and manifests that are not to be believed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sardonyx.zoo import asking, oci
from sardonyx.zoo.asking import FetchError
from sardonyx.zoo.download import Wanted
from sardonyx.zoo.references import MIRRORS, parse
from tests.zoo.server import Shelf, artefact, digest, serving


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shelf]:
    monkeypatch.delenv(MIRRORS, raising=False)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    monkeypatch.setattr(asking, "PAUSE_SECONDS", 0.001)
    with serving(Shelf()) as made:
        yield made


def wanted(shelf: Shelf, rest: str) -> Wanted:
    return oci.wanted(parse(f"oci://127.0.0.1:{shelf.port}/org/net{rest}"))


def layer(name: str | None, content: bytes = b"x") -> dict[str, Any]:
    made: dict[str, Any] = {"digest": f"sha256:{digest(content)}", "size": len(content)}
    return made if name is None else {**made, "annotations": {oci.TITLE: name}}


def manifest(shelf: Shelf, *layers: dict[str, Any]) -> None:
    shelf.files["/v2/org/net/manifests/v1"] = json.dumps({"layers": layers}).encode()


def test_the_model_among_the_files(shelf: Shelf) -> None:
    sums = artefact(shelf, "org/net", "v1", {"readme.md": b"words", "net.onnx": b"model"})
    found = wanted(shelf, ":v1")
    assert (found.sha256, found.size, found.headers) == (digest(b"model"), 5, {})
    assert found.url == shelf.url(f"/v2/org/net/blobs/sha256:{digest(b'model')}")
    assert wanted(shelf, f"@{sums}").sha256 == digest(b"model")
    assert wanted(shelf, ":v1/readme.md").sha256 == digest(b"words")
    assert "oci.image.manifest" in shelf.asked[0][2]["accept"]


def test_a_token_is_asked_for(shelf: Shelf) -> None:
    artefact(shelf, "org/net", "v1", {"net.onnx": b"model"})
    shelf.token = "given"
    assert wanted(shelf, ":v1").headers == {"Authorization": "Bearer given"}
    assert [path for _, path, _ in shelf.asked] == [
        "/v2/org/net/manifests/v1",
        "/token",
        "/v2/org/net/manifests/v1",
    ]


@pytest.mark.parametrize(
    ("layers", "rest", "told"),
    [
        ([layer("a.onnx"), layer("b.onnx")], ":v1", r"is meant\? It holds a\.onnx, b\.onnx; add /FILE"),
        ([layer("a.onnx")], ":v1/c.onnx", r"It holds a\.onnx; add"),
        ([layer(None), layer(None)], ":v1", "2 layers without names"),
        ([], ":v1", "0 layers without names"),
        ([{"digest": "md5:1"}], ":v1", "digest 'md5:1' is not a sha256"),
        ([{"annotations": ["model.onnx"]}], ":v1", "digest 'None' is not a sha256"),
        ([1], ":v1", "a manifest with layers is wanted, and it is none"),
    ],
)  # fmt: skip
def test_layers_that_are_no_model(layers: list[Any], rest: str, told: str, shelf: Shelf) -> None:
    manifest(shelf, *layers)
    with pytest.raises(FetchError, match=told):
        wanted(shelf, rest)


def test_one_layer_needs_no_name(shelf: Shelf) -> None:
    manifest(shelf, layer(None, b"model"))
    assert wanted(shelf, ":v1").sha256 == digest(b"model")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"<html>", r"127\.0\.0\.1 does not answer as a registry does"),
        (b"[1]", "does not answer as a registry does"),
        (b'{"layers": 3}', "a manifest with layers is wanted, and it is none"),
        (b'{"manifests": []}', "it is an index of several; name one by its digest"),
    ],
)
def test_manifests_that_are_none(content: bytes, told: str, shelf: Shelf) -> None:
    shelf.files["/v2/org/net/manifests/v1"] = content
    with pytest.raises(FetchError, match=told):
        wanted(shelf, ":v1")


def test_sizes_that_are_no_numbers_and_busy_registries(shelf: Shelf) -> None:
    manifest(shelf, {**layer("net.onnx"), "size": "many"})
    shelf.faults["/v2/org/net/manifests/v1"] = ["status=503", "drop=1"]
    assert wanted(shelf, ":v1").size == 0 and len(shelf.asked) == 3


def test_manifests_that_lie(shelf: Shelf) -> None:
    shelf.files[f"/v2/org/net/manifests/sha256:{'0' * 64}"] = b"{}"
    with pytest.raises(FetchError, match=f"a manifest of another digest, sha256:{digest(b'{}')}"):
        wanted(shelf, f"@sha256:{'0' * 64}")
    shelf.files["/v2/org/net/manifests/v1"] = bytes(oci.LIMIT_BYTES + 1)
    with pytest.raises(FetchError, match="larger than any should be"):
        wanted(shelf, ":v1")


def test_refusals(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(FetchError, match="there is no such file"):
        wanted(shelf, ":v1")
    shelf.token = "other than the one that is given"
    with pytest.raises(FetchError, match="a token is needed"):
        wanted(shelf, ":v1")
    with pytest.raises(FetchError, match=r"127\.0\.0\.1:1 cannot be reached or breaks off \("):
        oci.wanted(parse("oci://127.0.0.1:1/org/net:v1"))
    with oci.client({}) as asked, pytest.raises(FetchError, match="a token is needed"):
        oci._token(asked, "Basic", {}, parse("oci://h/org/net:v1"))
