"""The OpenAPI text of the administration, made from the table of operations.

Must not know how a request is answered.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

import sardonyx
from sardonyx.gateway.monitors import OPERATIONS
from sardonyx.gateway.operations import Operation
from sardonyx.protocol.errors import Code

_REFERENCE = "#/components/schemas/{name}"
_ERRORS = (
    Code.INVALID_ARGUMENT,
    Code.UNAUTHENTICATED,
    Code.FORBIDDEN,
    Code.NOT_FOUND,
    Code.CONFLICT,
    Code.TOO_LARGE,
    Code.QUOTA,
    Code.UNSUPPORTED,
    Code.UNAVAILABLE,
)
_UPLOAD = {
    "type": "object",
    "required": ["file"],
    "properties": {
        "registration": {"type": "string", "description": "a Registration in JSON, without its source"},
        "file": {
            "type": "array",
            "items": {"type": "string", "format": "binary"},
            "description": "the model and what it needs; file names are paths in the version",
        },
        "samples": {"type": "string", "format": "binary", "description": "an .npz file"},
    },
}


def document(prefix: str) -> dict[str, Any]:
    """The OpenAPI 3.1 document of all operations below `prefix`."""
    types = [t for o in OPERATIONS for t in (o.answer, o.body) if t is not None]
    schemas, components = msgspec.json.schema_components(types, ref_template=_REFERENCE)
    found = iter(schemas)
    paths: dict[str, dict[str, Any]] = {}
    for operation in OPERATIONS:
        answer = next(found) if operation.answer is not None else None
        body = next(found) if operation.body is not None else None
        paths.setdefault(operation.path, {})[operation.method.lower()] = _described(operation, answer, body)
    components["Error"] = {
        "type": "object",
        "required": ["error"],
        "properties": {"error": {"type": "string"}},
    }
    return {
        "openapi": "3.1.0",
        "info": {"title": "Sardonyx administration", "version": sardonyx.__version__},
        "servers": [{"url": prefix}],
        "security": [{"key": []}, {}],
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
            "responses": {code.name: _error(code) for code in _ERRORS},
        },
    }


def _described(operation: Operation, answer: Any, body: Any) -> dict[str, Any]:
    responses: dict[str, Any] = {str(operation.status): {"description": "done"}}
    if answer is not None:
        responses[str(operation.status)]["content"] = {"application/json": {"schema": answer}}
    responses |= {str(code.http): {"$ref": f"#/components/responses/{code.name}"} for code in _ERRORS}
    described: dict[str, Any] = {
        "operationId": operation.name,
        "summary": operation.summary,
        "description": f"Needs the scope {operation.scope}.",
        "parameters": [*_path_parameters(operation.path), *_query_parameters(operation)],
        "responses": responses,
    }
    if body is not None:
        content: dict[str, Any] = {"application/json": {"schema": body}}
        if operation.name == "register":
            content["multipart/form-data"] = {"schema": _UPLOAD}
        described["requestBody"] = {"required": True, "content": content}
    return described


def _path_parameters(path: str) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
        for name in re.findall(r"{(\w+)}", path)
    ]


def _query_parameters(operation: Operation) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "query", "description": meaning, "schema": {"type": "string"}}
        for name, meaning in operation.query.items()
    ]


def _error(code: Code) -> dict[str, Any]:
    return {
        "description": code.name.lower().replace("_", " "),
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
    }
