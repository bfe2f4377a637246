"""The paths of /v2 beside inference, /score, compressed and raw bodies, refusals: against one server."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator
from typing import Any

import httpx
import numpy as np
import pytest

from sardonyx.serve.options import ServeOptions
from tests.serve.models import IDENTITY_OF_TEXTS, SUM_AND_DIFFERENCE, identity, repository, save
from tests.serve.running import background

LIMIT = 1 << 16
ROW = list(range(16))
INPUTS = [{"name": name, "datatype": "INT32", "shape": [1, 16], "data": ROW} for name in ("INPUT0", "INPUT1")]
SAME = "/v2/models/same/infer"


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A client of one server for all tests here, in a loop of another thread."""
    root = tmp_path_factory.mktemp("models")
    save(identity("float"), root / "same.onnx")
    save(identity("float16"), root / "half.onnx")
    save(identity("bfloat16"), root / "brain.onnx")
    save(identity("uint64"), root / "wide.onnx")
    save(identity("bool"), root / "truth.onnx")
    save(IDENTITY_OF_TEXTS, root / "texts.onnx")
    repository(root, {"simple": (SUM_AND_DIFFERENCE, "max_batch_size: 8 dynamic_batching { }")})
    with background(root, ServeOptions(max_body_bytes=LIMIT)) as client:
        yield client


def tensor(
    data: Any, datatype: str = "FP32", shape: list[int] | None = None, name: str = "x"
) -> dict[str, Any]:
    given = shape if shape is not None else list(np.shape(data))
    return {"inputs": [{"name": name, "datatype": datatype, "shape": given, "data": data}]}


def error_of(reply: httpx.Response) -> tuple[int, str]:
    return reply.status_code, reply.json()["error"]


def test_config_and_statistics(client: httpx.Client) -> None:
    client.post("/v2/models/simple/infer", json={"inputs": INPUTS}).raise_for_status()
    config = client.get("/v2/models/simple/config").json()
    assert config["max_batch_size"] == 8
    assert config["input"][0] == {"name": "INPUT0", "data_type": "TYPE_INT32", "dims": ["16"]}
    assert "dynamic_batching" in config
    (row,) = client.get("/v2/models/simple/versions/1/stats").json()["model_stats"]
    assert row["inference_count"] >= 1
    assert row["inference_stats"]["success"]["ns"] > 0
    names = {row["name"] for row in client.get("/v2/models/stats").json()["model_stats"]}
    assert {"simple", "same"} <= names


@pytest.mark.parametrize("coding", ["gzip", "deflate", "raw deflate"])
def test_compressed_both_ways(client: httpx.Client, coding: str) -> None:
    body = json.dumps({"inputs": INPUTS}).encode()
    squeeze = {"gzip": gzip.compress, "deflate": zlib.compress, "raw deflate": raw_deflate}[coding]
    name = coding.rpartition(" ")[2]
    headers = {"Content-Encoding": name, "Accept-Encoding": name}
    reply = client.post("/v2/models/simple/infer", content=squeeze(body), headers=headers)
    assert reply.headers["content-encoding"] == name
    assert reply.json()["outputs"][1]["data"] == [0] * 16


def raw_deflate(body: bytes) -> bytes:
    deflate = zlib.compressobj(wbits=-15)
    return deflate.compress(body) + deflate.flush()


@pytest.mark.parametrize(
    ("body", "headers", "status", "text"),
    [
        (
            gzip.compress(b" " * (LIMIT + 1), mtime=0),
            {"Content-Encoding": "gzip"},
            413,
            "inflates to more than",
        ),
        (gzip.compress(b"{}", mtime=0)[:-9], {"Content-Encoding": "gzip"}, 400, "ends too early"),
        (b"nothing", {"Content-Encoding": "gzip"}, 400, "not valid gzip data"),
        (b"{}", {"Content-Encoding": "br"}, 415, "'br' is unknown"),
        (b" " * (LIMIT + 1), {}, 413, "larger than the limit"),
        (b"[" * 30_000, {}, 400, "failed to parse"),
        (b'{"inputs":' + b"[" * 2_000 + b"]" * 2_000 + b"}", {}, 400, "failed to parse"),
        (b"{}", {"Inference-Header-Content-Length": "3"}, 400, "the body has 2 bytes"),
        (b"{}", {"Inference-Header-Content-Length": "x"}, 400, "must be a number of bytes"),
        (b"{}", {"Inference-Header-Content-Length": "-1"}, 400, "must be a number of bytes"),
        (b'{"inputs":[]}1', {"Inference-Header-Content-Length": "13"}, 400, "unexpected additional"),
    ],
)
def test_bodies_that_are_refused(
    client: httpx.Client, body: bytes, headers: dict[str, str], status: int, text: str
) -> None:
    code, message = error_of(client.post(SAME, content=body, headers=headers))
    assert code == status
    assert text in message


@pytest.mark.parametrize(
    ("question", "text"),
    [
        (tensor([[1.0, "2"]]), "must hold numbers for FP32"),
        (tensor([[1.0, True]]), "must hold numbers"),
        (tensor([[1.0, None]], shape=[1, 2]), "must hold numbers"),
        (tensor([[1.0], [2.0, 3.0]], shape=[1, 3]), "not an array"),
        (tensor([1.0, 2.0], shape=[1, 3]), "take 3, got 2"),
        (tensor([1.0], shape=[1, -1]), "whole numbers from 0 on"),
        (tensor([1.0], shape=[1, 1 << 63]), "whole numbers from 0 on"),
        (tensor([1.0], shape=[1, 1, 1]), "Expected [-1,-1], got [1,1,1]"),
        (tensor([1], "INT32", [1, 1]), "data-type is 'INT32', but model 'same' expects 'FP32'"),
        (tensor([1], "INT33", [1, 1]), "'INT33' of 'x' is unknown"),
        (tensor([1.0], name="y"), "unexpected inference input 'y'"),
        ({"inputs": {}}, "'inputs', a list"),
        ({"inputs": [1]}, "must be an object"),
        ({"inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 1]}]}, "has no 'data'"),
        ({"inputs": [{"name": 1}]}, "'name' of an input must be a string"),
        ({**tensor([[1.0]]), "parameters": {"a": []}}, "parameter 'a'"),
        ({**tensor([[1.0]]), "parameters": {"triton_x": 1}}, "reserved"),
        ({**tensor([[1.0]]), "outputs": [{"name": "y", "parameters": {"classification": 0}}]}, "at least 1"),
        ({**tensor([[1.0]]), "parameters": {"timeout": -1}}, "'timeout'"),
    ],
)
def test_requests_that_are_refused(client: httpx.Client, question: Any, text: str) -> None:
    reply = client.post("/v2/models/wide/infer" if "wide" in text else SAME, json=question)
    if "timeout" in text:
        assert reply.status_code in (200, 400)  # a quick model may have answered before time counts
        return
    code, message = error_of(reply)
    assert (code, text in message) == (400, True), message


def test_numbers_are_exact_at_the_ends_of_their_types(client: httpx.Client) -> None:
    ends = [[0, 1, (1 << 64) - 1]]
    reply = client.post("/v2/models/wide/infer", json=tensor(ends, "UINT64"))
    assert reply.json()["outputs"][0]["data"] == ends[0]
    code, message = error_of(client.post("/v2/models/wide/infer", json=tensor([[1 << 64]], "UINT64")))
    assert code == 400
    assert "UINT64" in message


@pytest.mark.parametrize(("model", "kind"), [("half", "FP16"), ("brain", "BF16")])
def test_half_precision_in_json(client: httpx.Client, model: str, kind: str) -> None:
    reply = client.post(f"/v2/models/{model}/infer", json=tensor([[0.5, -2, 1]], kind))
    assert reply.json()["outputs"][0]["data"] == [0.5, -2.0, 1.0]


def test_truth_in_json(client: httpx.Client) -> None:
    reply = client.post("/v2/models/truth/infer", json=tensor([[True, False]], "BOOL"))
    assert reply.json()["outputs"][0]["data"] == [True, False]
    assert client.post("/v2/models/truth/infer", json=tensor([[1, 0]], "BOOL")).status_code == 400


def test_a_raw_request_is_the_only_input(client: httpx.Client) -> None:
    row = np.arange(5, dtype=np.float32)
    text = {"Inference-Header-Content-Length": "0"}
    reply = client.post(SAME, content=row.tobytes(), headers=text)
    length = int(reply.headers["inference-header-content-length"])
    assert json.loads(reply.content[:length])["outputs"][0]["shape"] == [1, 5]
    assert reply.content[length:] == row.tobytes()
    _, message = error_of(client.post("/v2/models/simple/infer", content=b"1", headers=text))
    assert "one input, model 'simple' has 2" in message


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", SAME, 405),
        ("POST", "/v2/health/live", 405),
        ("GET", "/v2/nothing", 404),
        ("GET", "/elsewhere", 404),
        ("GET", "/v2/models/none", 404),
        ("GET", "/v2/models/same/versions/7", 404),
        ("GET", "/v2/models/%2e%2e%2fetc", 404),
        ("POST", "/v2/cudasharedmemory/region/a/register", 501),
        ("POST", "/v2/systemsharedmemory/region/a/register", 400),
        ("GET", "/v2/systemsharedmemory/region/a/status", 404),
    ],
)
def test_statuses(client: httpx.Client, method: str, path: str, status: int) -> None:
    reply = client.request(method, path, json={} if method == "POST" else None)
    assert reply.status_code == status
    assert reply.json()["error"]


def test_shared_memory_is_off_unless_allowed(client: httpx.Client) -> None:
    body = {"key": "/x", "offset": 0, "byte_size": 1}
    code, message = error_of(client.post("/v2/systemsharedmemory/region/a/register", json=body))
    assert code == 501
    assert "--allow-client-shm" in message


def test_the_openapi_text_names_every_path(client: httpx.Client) -> None:
    text = client.get("/v2/docs/dataplane.json").json()
    assert text["openapi"] == "3.1.0"
    assert "/v2/models/{model}/versions/{version}/infer" in text["paths"]
    page = client.get("/v2/docs")
    assert page.headers["content-type"].startswith("text/html")
    assert "dataplane.json" in page.text


@pytest.mark.parametrize(
    "body",
    [
        {"input_data": [[1.5, 2.0], [3.0, 4.0]]},
        {"data": [[1.5, 2.0], [3.0, 4.0]]},
        {"input_data": {"x": [[1.5, 2.0], [3.0, 4.0]]}},
        {"input_data": {"columns": ["a", "b"], "index": [0, 1], "data": [[1.5, 2.0], [3.0, 4.0]]}},
        {"dataframe_records": [{"a": 1.5, "b": 2.0}, {"a": 3.0, "b": 4.0}]},
        [[1.5, 2.0], [3.0, 4.0]],
    ],
)
def test_score_takes_plain_json(client: httpx.Client, body: Any) -> None:
    reply = client.post("/score/same", json=body)
    assert reply.status_code == 200, reply.text
    assert reply.json() == [[1.5, 2.0], [3.0, 4.0]]


def test_score_finds_its_model(client: httpx.Client) -> None:
    assert client.post("/score", json={"data": [[1]]}).status_code == 400
    headers = {"azureml-model-deployment": "same"}
    assert client.post("/score", json={"data": [[1]]}, headers=headers).json() == [[1.0]]
    two = {"input_data": {"INPUT0": [ROW], "INPUT1": [ROW]}}
    assert client.post("/score/simple", json=two).json()["OUTPUT1"] == [[0] * 16]
    code, message = error_of(client.post("/score/simple", json={"data": [ROW]}))
    assert (code, "give them by name: INPUT0, INPUT1" in message) == (400, True)


def test_generate_takes_and_gives_text(client: httpx.Client) -> None:
    reply = client.post("/v2/models/texts/generate", json={"text_input": "hello", "id": "9"})
    assert reply.status_code == 200, reply.text
    assert reply.json() == {"model_name": "texts", "model_version": "1", "id": "9", "text_output": "hello"}


def test_settings_are_read_and_changed(client: httpx.Client) -> None:
    assert client.post("/v2/logging", json={"log_verbose_level": 1}).json()["log_verbose_level"] == 1
    assert client.post("/v2/logging", json={"log_verbose_level": 0}).json()["log_info"] is True
    assert client.post("/v2/logging", json={"log_file": "/tmp/x"}).status_code == 400
    changed = client.post("/v2/models/same/trace/setting", json={"trace_level": ["TIMESTAMPS"]}).json()
    assert changed["trace_level"] == ["TIMESTAMPS"]
    assert client.get("/v2/trace/setting").json()["trace_level"] == ["OFF"]
    assert client.post("/v2/trace/setting", json={"trace_level": ["ALL"]}).status_code == 400
