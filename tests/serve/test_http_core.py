"""The core paths of /v2 over HTTP: health, metadata, inference in JSON and binary, repository, errors."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import numpy as np
import pytest

from tests.serve.models import SUM_AND_DIFFERENCE, identity, save
from tests.serve.running import background

ROW = list(range(16))
INPUTS = [
    {"name": "INPUT0", "datatype": "INT32", "shape": [1, 16], "data": ROW},
    {"name": "INPUT1", "datatype": "INT32", "shape": [1, 16], "data": [ROW]},
]


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A client of one server for all tests here."""
    root = tmp_path_factory.mktemp("models")
    save(SUM_AND_DIFFERENCE, root / "simple" / "1" / "model.onnx")
    save(identity("float"), root / "same.onnx")
    with background(root) as client:
        yield client


def test_json_inference(client: httpx.Client) -> None:
    reply = client.post("/v2/models/simple/infer", json={"id": "7", "inputs": INPUTS})
    assert reply.status_code == 200
    document = reply.json()
    assert (document["model_name"], document["id"]) == ("simple", "7")
    assert document["model_version"] == "1"
    sums, differences = document["outputs"]
    assert sums == {"name": "OUTPUT0", "datatype": "INT32", "shape": [1, 16], "data": [2 * v for v in ROW]}
    assert differences["data"] == [0] * 16


def test_binary_inference_in_both_directions(client: httpx.Client) -> None:
    rows = np.arange(16, dtype=np.int32)
    header = json.dumps(
        {
            "inputs": [
                {"name": n, "datatype": "INT32", "shape": [1, 16], "parameters": {"binary_data_size": 64}}
                for n in ("INPUT0", "INPUT1")
            ],
            "outputs": [{"name": "OUTPUT1"}, {"name": "OUTPUT0", "parameters": {"binary_data": True}}],
        }
    ).encode()

    body = header + rows.tobytes() + (rows * 3).tobytes()
    headers = {"Inference-Header-Content-Length": str(len(header))}
    reply = client.post("/v2/models/simple/versions/1/infer", content=body, headers=headers)
    assert reply.status_code == 200, reply.text
    length = int(reply.headers["inference-header-content-length"])
    document = json.loads(reply.content[:length])
    difference, total = document["outputs"]
    assert difference["data"] == (-2 * rows).tolist()
    assert total["parameters"] == {"binary_data_size": 64}
    np.testing.assert_array_equal(np.frombuffer(reply.content[length:], np.int32), 4 * rows)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v2", {"name": "sardonyx"}),
        ("/v2/health/live", {"live": True}),
        ("/v2/health/ready", {"ready": True}),
        ("/v2/models", {"models": ["same", "simple"]}),
        ("/v2/models/simple/ready", {"name": "simple", "ready": True}),
        ("/v2/models/simple/versions/1/ready", {"name": "simple", "ready": True}),
        ("/v2/models/simple", {"name": "simple", "versions": ["1"], "platform": "onnx_onnxv1"}),
    ],
)
def test_questions(client: httpx.Client, path: str, body: dict[str, Any]) -> None:
    reply = client.get(path)
    assert reply.status_code == 200
    assert reply.json().items() >= body.items()


def test_repository_loads_and_unloads(client: httpx.Client) -> None:
    url = "/v2/repository/models/simple"
    states = []
    for call in ("unload", "load"):
        assert client.post(f"{url}/{call}", json={}).status_code == 200
        index = {row["name"]: row["state"] for row in client.post("/v2/repository/index", json={}).json()}
        states.append((index["simple"], client.get("/v2/models/simple/ready").status_code))
    assert states == [("UNAVAILABLE", 503), ("READY", 200)]


@pytest.mark.parametrize(
    ("path", "body", "status", "text"),
    [
        ("/v2/models/none/infer", {"inputs": INPUTS}, 404, "unknown model: 'none'"),
        ("/v2/models/simple/versions/9/infer", {"inputs": INPUTS}, 404, "version 9"),
        ("/v2/models/simple/infer", {"inputs": INPUTS[:1]}, 400, "missing required input"),
        ("/v2/models/simple/infer", {"inputs": [INPUTS[0], INPUTS[0]]}, 400, "given twice"),
        ("/v2/models/simple/infer", [], 400, "JSON object"),
        ("/v2/models/simple/infer", {"inputs": INPUTS, "outputs": [{"name": "z"}]}, 400, "output 'z'"),
        ("/v2/elsewhere", {}, 404, "/v2/elsewhere"),
    ],
)
def test_errors_say_what_is_wrong(client: httpx.Client, path: str, body: Any, status: int, text: str) -> None:
    reply = client.post(path, json=body)
    assert reply.status_code == status
    assert text in reply.json()["error"]


def test_nan_and_infinities_travel_in_json(client: httpx.Client) -> None:
    text = b'{"inputs":[{"name":"x","datatype":"FP32","shape":[1,3],"data":[NaN,-Infinity,1.5]}]}'
    reply = client.post("/v2/models/same/infer", content=text)
    assert reply.status_code == 200, reply.text
    np.testing.assert_array_equal(reply.json()["outputs"][0]["data"], [np.nan, -np.inf, 1.5])
