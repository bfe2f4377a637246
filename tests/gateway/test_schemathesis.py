"""Schemathesis reads the OpenAPI text of the administration and asks the live server whatever it allows."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from sardonyx.monitor.capture import Collection
from sardonyx.monitor.monitoring import MonitorOptions
from sardonyx.protocol.records import NewKey
from tests.gateway.running import running


@pytest.mark.slow
def test_the_administration_answers_as_its_openapi_text_says(tmp_path: Path) -> None:
    """Every check but one: some words that the schema allows are refused, such as an alias of digits."""
    home = tmp_path / "home"
    with running(home, monitoring=MonitorOptions(home, {"*": Collection()})) as gateway:
        key = gateway.administration.keys.create(NewKey(name="root", role="admin"), "test")
        gateway.watch.refresh()
        url = f"{gateway.server.http_url}/api"
        options = ["--max-examples", "20", "--checks", "all"]
        options += ["-H", f"Authorization: Bearer {key.secret}", "--exclude-operation-id", "revoke_key"]
        options += ["--exclude-checks", "positive_data_acceptance", "--url", url, "--no-color"]
        command = [sys.executable, "-m", "schemathesis.cli", "run", f"{url}/openapi.json", *options]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
    assert "Authentication failed" not in done.stdout
