"""Inference over HTTP: which path means which model, what is read, and how an answer is written."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from sardonyx.serve.core import Core
from sardonyx.serve.http.app import DataPlane
from tests.unit.serve.http.asked import asked
from tests.unit.serve.steps import adding, with_core

ROW = {"shape": [1, 2], "datatype": "FP32", "data": [1, 2]}
DOCUMENT: dict[str, Any] = {"inputs": [{"name": "a", **ROW}, {"name": "b", **ROW}]}


def answer(root: Path, method: str, path: str, **more: Any) -> httpx.Response:
    async def use(core: Core) -> httpx.Response:
        return await asked(DataPlane(core), method, path, **more)

    return with_core(root, use)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    adding(tmp_path)
    return adding(tmp_path, "a b", program="def run(a, b):\n    return 1 / 0\n")


@pytest.mark.parametrize("path", ["/v2/models/add/infer", "/v2/models/add/versions/1/infer"])
def test_a_path_names_model_and_version(root: Path, path: str) -> None:
    found = answer(root, "POST", path, json={**DOCUMENT, "id": "7"})
    assert found.status_code == 200
    assert found.headers["content-type"] == "application/json"
    assert found.json()["outputs"][0]["data"] == [2, 4]
    assert (found.json()["id"], found.json()["model_version"]) == ("7", "1")


@pytest.mark.parametrize(
    ("method", "path", "status", "message"),
    [
        ("POST", "/v2/models/none/infer", 404, "unknown model: 'none'"),
        ("POST", "/v2/models/add/versions/9/infer", 404, "version 9 is not found"),
        ("GET", "/v2/models/add/infer", 405, "takes POST, not GET"),
        ("POST", "/v2/models/a%20b/infer", 500, "model 'a b' failed: ZeroDivisionError"),
        ("POST", "/v2/models/add/infer/more", 404, "there is nothing at"),
    ],
)
def test_what_is_not_there_or_fails(root: Path, method: str, path: str, status: int, message: str) -> None:
    found = answer(root, method, path, json=DOCUMENT)
    assert (found.status_code, message in found.json()["error"]) == (status, True)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"inputs": 3}'])
def test_a_body_that_is_no_request_is_refused(root: Path, content: bytes) -> None:
    found = answer(root, "POST", "/v2/models/add/infer", content=content)
    assert found.status_code == 400
    assert found.json()["error"]


def test_tensors_may_follow_as_bytes(root: Path) -> None:
    asked_for = {**DOCUMENT, "outputs": [{"name": "sum", "parameters": {"binary_data": True}}]}
    found = answer(root, "POST", "/v2/models/add/infer", json=asked_for)
    length = int(found.headers["inference-header-content-length"])
    assert found.headers["content-type"] == "application/octet-stream"
    np.testing.assert_array_equal(np.frombuffer(found.content[length:], np.float32), [2, 4])


def test_bodies_may_be_compressed_both_ways(root: Path) -> None:
    import json

    packed = gzip.compress(json.dumps(DOCUMENT).encode())
    headers = {"content-encoding": "gzip", "accept-encoding": "gzip"}
    found = answer(root, "POST", "/v2/models/add/infer", content=packed, headers=headers)
    assert found.headers["content-encoding"] == "gzip"
    assert found.json()["outputs"][0]["data"] == [2, 4]


def test_a_fault_of_our_own_is_logged_and_not_told(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def use(core: Core) -> httpx.Response:
        def fail(*_: object) -> None:
            raise KeyError("secret")

        monkeypatch.setattr(core, "infer", fail)
        return await asked(DataPlane(core), "POST", "/v2/models/add/infer", json=DOCUMENT)

    found = with_core(root, use)
    assert (found.status_code, "secret" in found.text) == (500, False)
    assert "its log says which" in found.json()["error"]


def test_a_body_beyond_the_limit_is_refused(root: Path) -> None:
    async def use(core: Core) -> httpx.Response:
        return await asked(DataPlane(core), "POST", "/v2/models/add/infer", content=b" " * 200)

    assert with_core(root, use, max_body_bytes=100).status_code == 413
