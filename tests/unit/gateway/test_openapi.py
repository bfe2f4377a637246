"""The OpenAPI text of the administration is made of its table."""

from __future__ import annotations

import json
import re

from sardonyx.gateway.monitors import OPERATIONS
from sardonyx.gateway.openapi import document


def test_every_operation_is_described() -> None:
    whole = document("/api")
    assert whole["servers"] == [{"url": "/api"}]
    for operation in OPERATIONS:
        found = whole["paths"][operation.path][operation.method.lower()]
        assert found["operationId"] == operation.name
        assert operation.scope in found["description"]
        assert ("requestBody" in found) is (operation.body is not None)
        assert ("content" in found["responses"][str(operation.status)]) is (operation.answer is not None)
        names = [p["name"] for p in found["parameters"]]
        assert names == [*re.findall(r"{(\w+)}", operation.path), *operation.query]


def test_every_name_in_it_is_there() -> None:
    whole = document("/api")
    for kind in ("schemas", "responses"):
        named = set(re.findall(rf"#/components/{kind}/(\w+)", json.dumps(whole)))
        assert named <= set(whole["components"][kind])


def test_a_model_may_be_uploaded() -> None:
    (register,) = (o for o in OPERATIONS if o.name == "register")
    content = document("")["paths"][register.path]["post"]["requestBody"]["content"]
    assert set(content) == {"application/json", "multipart/form-data"}
    assert content["multipart/form-data"]["schema"]["required"] == ["file"]
