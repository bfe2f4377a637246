"""The OpenAPI text says what is answered: every path, every schema that it names, and nothing else."""

from __future__ import annotations

import json
import re

import pytest

from sardonyx.protocol.datatypes import DATATYPES
from sardonyx.serve.http.openapi import OPERATIONS, SCHEMAS, document, page
from sardonyx.serve.http.questions import ROUTES


def test_every_schema_that_is_named_is_there() -> None:
    named = set(re.findall(r"#/components/schemas/(\w+)", json.dumps(document())))
    assert named == set(SCHEMAS)
    assert SCHEMAS["Datatype"]["enum"] == list(DATATYPES)


@pytest.mark.parametrize(("method", "path"), [row[:2] for row in OPERATIONS])
def test_what_it_tells_of_is_answered(method: str, path: str) -> None:
    concrete = re.sub(r"\{\w+\}", "x", path).encode()
    routes = [r for r in ROUTES if r.method == method.upper() and r.path.fullmatch(concrete)]
    assert routes or path.endswith("/infer")


def test_names_in_a_path_are_parameters() -> None:
    found = document()["paths"]["/v2/models/{model}/versions/{version}/infer"]["post"]
    assert [p["name"] for p in found["parameters"]] == ["model", "version"]
    assert found["requestBody"]["required"]
    assert set(found["responses"]) >= {"200", "400", "404", "503"}


def test_not_ready_is_told_in_the_form_of_ready() -> None:
    responses = document()["paths"]["/v2/health/ready"]["get"]["responses"]
    either = responses["503"]["content"]["application/json"]["schema"]["anyOf"]
    assert either == [{"$ref": "#/components/schemas/Ready"}, {"$ref": "#/components/schemas/Error"}]


def test_events_are_no_json() -> None:
    found = document()["paths"]["/v2/models/{model}/generate_stream"]["post"]["responses"]["200"]
    assert list(found["content"]) == ["text/event-stream"]


def test_the_page_lists_every_operation() -> None:
    text = page().decode()
    for method, path, _, _, summary in OPERATIONS:
        assert f"<td>{method.upper()}</td><td><code>{path}</code></td><td>{summary}</td>" in text
