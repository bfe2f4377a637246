"""The wheel in a clean environment: what the README promises after `pip install`, and nothing else around."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.slow


def run(*command: str | Path, folder: Path) -> str:
    """What a command writes; it finds neither this checkout nor its environment."""
    kept = {
        name: os.environ[name] for name in ("PATH", "PIP_INDEX_URL", "PIP_CONFIG_FILE") if name in os.environ
    }
    variables = {**kept, "HOME": str(folder), "XDG_CACHE_HOME": str(folder / "cache")}
    done = subprocess.run(
        list(map(str, command)), cwd=folder, env=variables, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        "-w",
        folder,
        ROOT,
    ]
    subprocess.run(command, check=True)
    (found,) = folder.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment that has the wheel and what it needs."""
    folder = tmp_path_factory.mktemp("clean")
    venv.create(folder / "env", with_pip=True)
    found = folder / "env" / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    run(found, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", wheel, folder=folder)
    return found


def test_the_wheel_holds_the_package_and_what_it_reads(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    package = {name for name in names if name.startswith("sardonyx/")}
    tracked = subprocess.run(
        ["git", "ls-files", "src/sardonyx"], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout.split("\n")
    expected = {name.removeprefix("src/") for name in tracked if name}
    assert "sardonyx/object/shipped/index.json" in names
    if expected:  # it is a clone
        assert expected - package == set()
        assert {name for name in package - expected if "/shipped/" not in name} == set()
    assert all(name.startswith(("sardonyx/", "sardonyx-")) for name in names)


def test_the_five_lines_of_the_readme(python: Path, tmp_path: Path) -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    found = re.search(r"```python\n(.*?)```\n\n```\n(.*?)```", text, re.S)
    assert found is not None
    code, expected = found.groups()
    assert code.count("sardonyx") == 1
    assert run(python, "-c", code, folder=tmp_path) == expected
    assert (tmp_path / "cache" / "sardonyx" / "plan").is_dir()
    assert run(python, "-c", code, folder=tmp_path) == expected


def test_the_first_product_compiles_no_contraction(python: Path, tmp_path: Path) -> None:
    code = """
import numpy as np, onnx, sardonyx
head = '<ir_version: 10, opset_import: ["" : 21]>'
body = "g (float[N,8] x, float[8,4] w) => (float[N,4] y) { y = MatMul(x, w) }"
session = sardonyx.InferenceSession(onnx.parser.parse_model(head + body).SerializeToString())
(y,) = session.run(None, {"x": np.ones((3, 8), np.float32), "w": np.ones((8, 4), np.float32)})
print((y == 8).all(), session.report.counters["compiles"])
"""
    assert run(python, "-c", code, folder=tmp_path) == "True 0\n"


def test_the_command_is_there(python: Path, tmp_path: Path) -> None:
    assert run(python.with_name("sardonyx"), "--version", folder=tmp_path).startswith("sardonyx ")
    assert "SARDONYX_CACHE" in run(python.with_name("sardonyx"), "knobs", folder=tmp_path)
    assert "at most" in run(python.with_name("sardonyx"), "cache", folder=tmp_path)
