"""The pages on production: their commands run as written, their tests exist, their words are the parser's."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from sardonyx.tools.cli import parser

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = ("production", "monitor", "from-mlflow", "from-azure-ml", "from-triton")


def commands(page: str) -> str:
    """The blocks of a page for the shell and for Python, as one script for the shell."""
    text = (DOCS / f"{page}.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```(sh|python)\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    return "\n".join(block if kind == "sh" else f"python - <<'END'\n{block}END\n" for kind, block in blocks)


@pytest.mark.parametrize("page", PAGES)
def test_every_command_that_a_page_shows_is_one(page: str) -> None:
    text = (DOCS / f"{page}.md").read_text(encoding="utf-8")
    shown = re.findall(r"`(sardonyx [a-z][^`]*)`", text)
    for block in re.findall(r"^```(?:sh|ini)?\n(.*?)^```", text, re.DOTALL | re.MULTILINE):
        joined = block.replace("\\\n", " ")
        shown += re.findall(r"(?:^|/)(sardonyx .*?)(?:\s+[>&#].*)?$", joined, re.MULTILINE)
    assert shown
    for line in shown:
        words = shlex.split(line)[1:]
        try:
            parser().parse_args(words)
        except SystemExit as error:
            assert error.code == 0 or len(words) == 1, line


@pytest.mark.slow
def test_the_commands_of_the_production_page_run(tmp_path: Path) -> None:
    script = commands("production").replace("pip install 'sardonyx[serve]'\n", "")
    said = run(script, tmp_path)
    assert '"data":[1.0,4.0,9.0,16.0,25.0,36.0]' in said
    assert "green  digits:2" in said
    assert "digits 2 [[1. 2.]" in said
    assert "Code.NOT_FOUND digits has no version '7'" in said
    assert list(tmp_path.glob("registry-*.db"))


@pytest.mark.slow
def test_the_commands_of_the_monitoring_page_run(tmp_path: Path) -> None:
    script = commands("monitor").replace("pip install 'sardonyx[monitor]'\n", "")
    said = run(script, tmp_path)
    assert re.search(r"^200 ", said, re.MULTILINE), said
    assert "psi of in.X" in said and "exit code 1: it alerts" in said
    assert "200 rows of truth for shop" in said
    assert json.loads((tmp_path / "grafana.json").read_text(encoding="utf-8"))["panels"]


def run(script: str, folder: Path) -> str:
    """What the commands of a page say, run in a folder on ports of their own; they must succeed."""
    program = folder / "bin/sardonyx"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m sardonyx "$@"\n', encoding="utf-8")
    program.chmod(0o755)
    ports = free_ports()
    listening = f"sardonyx serve --http-port {ports[0]} --grpc-port {ports[1]} "
    script = script.replace("sardonyx serve ", listening).replace(":8000", f":{ports[0]}")
    environment = {
        **os.environ,
        "PATH": f"{program.parent}:{os.environ['PATH']}",
        "SARDONYX_HOME": str(folder / "home"),
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    process = subprocess.Popen(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        found = process.wait(timeout=300)
    finally:
        os.killpg(process.pid, signal.SIGTERM)
    assert process.stdout is not None
    with process.stdout:
        said = process.stdout.read()
    assert found == 0, said
    return said


def free_ports() -> list[int]:
    with socket.socket() as first, socket.socket() as second:
        for probe in (first, second):
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in (first, second)]


def test_every_line_of_the_threat_model_has_its_test() -> None:
    text = (DOCS / "threat-model.md").read_text(encoding="utf-8")
    lines = re.findall(r"^\| .+$", text, re.MULTILINE)[2:]
    assert len(lines) >= 35
    for line in lines:
        found = re.fullmatch(r"\|[^|]+\|[^|]+\| (tests/\S+)::(\w+) \|", line)
        assert found, line
        assert f"def {found[2]}(" in (ROOT / found[1]).read_text(encoding="utf-8"), line
