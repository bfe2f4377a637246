"""The scripts of examples/ run to their end; the one that needs real models is `make demo`."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
SAID = {"custom_operator": "Bump", "tabular": r"at most \d\.\de-0[6-9] from scikit-learn"}


def test_all_are_run() -> None:
    assert {path.stem for path in EXAMPLES.glob("*.py")} == {*SAID, "read_text"}


@pytest.mark.parametrize("name", SAID)
def test_example(name: str) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, str(EXAMPLES / f"{name}.py")]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120, check=True)
    assert re.search(SAID[name], done.stdout), done.stdout
