"""The OpenAPI text, and schemathesis, which asks what it says and more: no fault, and all keep the text."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from sardonyx.serve.http.openapi import document
from sardonyx.serve.http.questions import ROUTES
from sardonyx.serve.options import ServeOptions
from tests.serve.models import IDENTITY_OF_TEXTS, SUM_AND_DIFFERENCE, identity, save
from tests.serve.running import background

CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"


def test_every_route_is_described() -> None:
    described = {(method.upper(), path) for path, row in document()["paths"].items() for method in row}
    for method, path in described:
        example = path.replace("{model}", "m").replace("{version}", "1").replace("{region}", "r").encode()
        if path.endswith("/infer"):
            continue
        assert any(row.method == method and row.path.fullmatch(example) for row in ROUTES), path


@pytest.mark.slow
def test_schemathesis_finds_nothing(tmp_path: Path) -> None:
    save(SUM_AND_DIFFERENCE, tmp_path / "simple.onnx")
    save(IDENTITY_OF_TEXTS, tmp_path / "texts.onnx")
    save(identity("float"), tmp_path / "same.onnx")
    with background(tmp_path, ServeOptions(allow_client_shm=True)) as client:
        command = [
            *(sys.executable, "-m", "schemathesis.cli", "run", f"{client.base_url}/v2/docs/dataplane.json"),
            *("--checks", CHECKS, "--max-examples", os.environ.get("EXAMPLES", "100"), "--seed", "1"),
            *("--suppress-health-check", "all", "--no-color", "--exclude-path-regex", "/unload$"),
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
        assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
        assert client.get("/v2/health/live").status_code == 200
