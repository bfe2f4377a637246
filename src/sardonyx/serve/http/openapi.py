"""The OpenAPI text of /v2, and a page that shows it.

Says what the paths take and give; must not know how they are answered.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sardonyx
from sardonyx.protocol.datatypes import DATATYPES

Schema = dict[str, Any]


def _object(required: Sequence[str] = (), **properties: Schema) -> Schema:
    schema: Schema = {"type": "object", "properties": properties}
    return {**schema, "required": list(required)} if required else schema


def _list(items: Schema, **more: Any) -> Schema:
    return {"type": "array", "items": items, **more}


def _named(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


_TEXT: Schema = {"type": "string"}
_TRUTH: Schema = {"type": "boolean"}
_COUNT: Schema = {"type": "integer", "minimum": 0}
_PARAMETERS = _named("Parameters")
_DURATION = _named("Duration")
_NAME: Schema = {"type": "string", "minLength": 1}

SCHEMAS: dict[str, Schema] = {
    "Error": _object(["error"], error=_TEXT),
    "Parameters": {
        "type": "object",
        "additionalProperties": {"type": ["string", "number", "boolean"]},
    },
    "Datatype": {"type": "string", "enum": list(DATATYPES)},
    "Data": _list(
        {"type": ["number", "string", "boolean", "array"]}, description="nested or flat, row-major"
    ),
    "Input": _object(
        ["name", "shape", "datatype"],
        name=_NAME,
        shape=_list({"type": "integer", "minimum": 0}),
        datatype=_named("Datatype"),
        parameters=_PARAMETERS,
        data=_named("Data"),
    ),
    "RequestedOutput": _object(["name"], name=_NAME, parameters=_PARAMETERS),
    "InferRequest": _object(
        ["inputs"],
        id=_TEXT,
        parameters=_PARAMETERS,
        inputs=_list(_named("Input")),
        outputs=_list(_named("RequestedOutput")),
    ),
    "Output": _object(
        ["name", "shape", "datatype"],
        name=_TEXT,
        shape=_list(_COUNT),
        datatype=_named("Datatype"),
        parameters=_PARAMETERS,
        data=_named("Data"),
    ),
    "InferResponse": _object(
        ["model_name", "outputs"],
        model_name=_TEXT,
        model_version=_TEXT,
        id=_TEXT,
        parameters=_PARAMETERS,
        outputs=_list(_named("Output")),
    ),
    "Server": _object(["name", "version", "extensions"], name=_TEXT, version=_TEXT, extensions=_list(_TEXT)),
    "Live": _object(["live"], live=_TRUTH),
    "Ready": _object(["ready"], ready=_TRUTH),
    "ModelReady": _object(["name", "ready"], name=_TEXT, ready=_TRUTH),
    "Models": _object(["models"], models=_list(_TEXT)),
    "TensorMetadata": _object(
        ["name", "datatype", "shape"],
        name=_TEXT,
        datatype=_named("Datatype"),
        shape=_list({"type": "integer", "minimum": -1}),
    ),
    "Model": _object(
        ["name", "platform", "inputs", "outputs"],
        name=_TEXT,
        versions=_list(_TEXT),
        platform=_TEXT,
        inputs=_list(_named("TensorMetadata")),
        outputs=_list(_named("TensorMetadata")),
    ),
    "Duration": _object(["count", "ns"], count=_COUNT, ns=_COUNT),
    "ModelStatistics": _object(
        ["name", "version", "inference_stats"],
        name=_TEXT,
        version=_TEXT,
        last_inference=_COUNT,
        inference_count=_COUNT,
        execution_count=_COUNT,
        inference_stats={"type": "object", "additionalProperties": _DURATION},
        batch_stats=_list(_object(["batch_size"], batch_size=_COUNT)),
    ),
    "Statistics": _object(["model_stats"], model_stats=_list(_named("ModelStatistics"))),
    "Config": _object(
        ["name", "max_batch_size"], name=_TEXT, platform=_TEXT, max_batch_size={"type": "integer"}
    ),
    "IndexRequest": _object(ready=_TRUTH),
    "Index": _list(_object(["name", "state"], name=_TEXT, version=_TEXT, state=_TEXT, reason=_TEXT)),
    "LoadRequest": _object(parameters={"type": "object", "additionalProperties": _TEXT}),
    "UnloadRequest": _object(parameters=_object(unload_dependents=_TRUTH)),
    "RegisterRequest": _object(["key", "byte_size"], key=_TEXT, offset=_COUNT, byte_size=_COUNT),
    "Regions": _list(_object(["name"], name=_TEXT, key=_TEXT, offset=_COUNT, byte_size=_COUNT)),
    "Settings": {"type": "object"},
    "GenerateRequest": {"type": "object", "properties": {"id": _TEXT, "text_input": _TEXT}},
    "GenerateResponse": _object(["model_name"], model_name=_TEXT, model_version=_TEXT, id=_TEXT),
}

_EVENTS = "events"
_MODEL = "/v2/models/{model}"
_VERSION = f"{_MODEL}/versions/{{version}}"
_REGION = "/v2/systemsharedmemory/region/{region}"
_READY = ("Ready", "whether requests are answered; 503 if not")
_MODEL_READY = ("ModelReady", "whether a model answers; 503 if not")

OPERATIONS: list[tuple[str, str, str, str, str]] = [
    ("get", "/v2", "Server", "", "name, version and extensions of the server"),
    ("get", "/v2/health/live", "Live", "", "whether the process answers"),
    ("get", "/v2/health/ready", _READY[0], "", _READY[1]),
    ("get", "/v2/models", "Models", "", "the models that can be asked"),
    ("get", "/v2/models/stats", "Statistics", "", "counts and times of all models"),
    *(
        row
        for path in (_MODEL, _VERSION)
        for row in (
            ("get", path, "Model", "", "inputs and outputs of a model"),
            ("get", f"{path}/ready", _MODEL_READY[0], "", _MODEL_READY[1]),
            ("get", f"{path}/config", "Config", "", "how a model is served"),
            ("get", f"{path}/stats", "Statistics", "", "counts and times of a model"),
            ("post", f"{path}/infer", "InferResponse", "InferRequest", "run a model"),
            ("post", f"{path}/generate", "GenerateResponse", "GenerateRequest", "run a model on plain JSON"),
            ("post", f"{path}/generate_stream", _EVENTS, "GenerateRequest", "answers as they come"),
        )
    ),
    ("post", "/v2/repository/index", "Index", "IndexRequest", "all versions and their states"),
    ("post", "/v2/repository/models/{model}/load", "", "LoadRequest", "load or reload a model"),
    ("post", "/v2/repository/models/{model}/unload", "", "UnloadRequest", "unload a model"),
    ("get", "/v2/systemsharedmemory/status", "Regions", "", "registered shared memory"),
    ("get", f"{_REGION}/status", "Regions", "", "one region of shared memory"),
    ("post", f"{_REGION}/register", "", "RegisterRequest", "name a region of shared memory"),
    ("post", f"{_REGION}/unregister", "", "", "forget a region"),
    ("post", "/v2/systemsharedmemory/unregister", "", "", "forget all regions"),
    ("get", "/v2/trace/setting", "Settings", "", "what is traced"),
    ("post", "/v2/trace/setting", "Settings", "Settings", "change what is traced"),
    ("get", "/v2/logging", "Settings", "", "what is logged"),
    ("post", "/v2/logging", "Settings", "Settings", "change what is logged"),
]
_ERRORS = ("400", "401", "403", "404", "413", "415", "429", "500", "501", "503", "504")


def document() -> dict[str, Any]:
    """The OpenAPI 3.1 document."""
    paths: dict[str, dict[str, Any]] = {}
    for method, path, answer, body, summary in OPERATIONS:
        paths.setdefault(path, {})[method] = _operation(path, answer, body, summary)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Open Inference Protocol v2",
            "version": sardonyx.__version__,
            "description": "Tensors may follow the JSON as bytes: header Inference-Header-Content-Length.",
        },
        "paths": paths,
        "components": {"schemas": SCHEMAS},
    }


def _operation(path: str, answer: str, body: str, summary: str) -> dict[str, Any]:
    names = [part.split("}")[0] for part in path.split("{")[1:]]
    found: dict[str, Any] = {"description": "done"}
    if answer == _EVENTS:
        found["content"] = {"text/event-stream": {}}
    elif answer:
        found["content"] = {"application/json": {"schema": _named(answer)}}
    error = {"description": "refused", "content": {"application/json": {"schema": _named("Error")}}}
    responses = {"200": found, **dict.fromkeys(_ERRORS, error)}
    if answer in (_READY[0], _MODEL_READY[0]):
        not_ready = {"anyOf": [_named(answer), _named("Error")]}
        responses["503"] = {
            "description": "not ready",
            "content": {"application/json": {"schema": not_ready}},
        }
    operation: dict[str, Any] = {
        "summary": summary,
        "parameters": [{"name": n, "in": "path", "required": True, "schema": _NAME} for n in names],
        "responses": responses,
    }
    if body:
        content = {"application/json": {"schema": _named(body)}}
        operation["requestBody"] = {"required": body == "InferRequest", "content": content}
    return operation


def page() -> bytes:
    """The operations for a reader."""
    rows = "".join(
        f"<tr><td>{method.upper()}</td><td><code>{path}</code></td><td>{summary}</td></tr>"
        for method, path, _, _, summary in OPERATIONS
    )
    return (
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>"
        "<title>Open Inference Protocol</title><style>:root{color-scheme:light dark}body{font:16px/1.5 "
        "system-ui;max-width:60rem;margin:2rem auto;padding:0 1rem}td{padding:.2rem .8rem .2rem 0;"
        "vertical-align:top}code{overflow-wrap:anywhere}</style><h1>Open Inference Protocol v2</h1>"
        "<p>The whole text for tools: <a href=/v2/docs/dataplane.json>dataplane.json</a> (OpenAPI 3.1).</p>"
        f"<table>{rows}</table></html>"
    ).encode()
