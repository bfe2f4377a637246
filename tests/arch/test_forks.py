"""Forked processes run all tests of a collection once, and say of each what one process would say."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
GOOD = """
import os, pathlib, pytest

@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    yield tmp_path_factory.mktemp("shared")
    with open("log", "a") as log:
        log.write(f"{os.getpid()} end\\n")

@pytest.mark.parametrize("number", range(COUNT))
def test_number(number, shared, tmp_path):
    with open("log", "a") as log:
        log.write(f"{os.getpid()} {__name__} {number} {tmp_path.parent == shared.parent}\\n")
"""
BAD = """
import os, pytest

def test_before(): pass
def test_dies(): os._exit(3)
def test_is_killed(): os.kill(os.getpid(), 9)
def test_fails():
    print("printed by the test")
    assert 1 == 2
@pytest.mark.skip(reason="not today")
def test_is_skipped(): pass
@pytest.fixture
def broken():
    yield
    raise ValueError("at the end")
def test_ends_badly(broken): pass
"""
STOPPED = "import time\ndef test_fails(): assert 0\n" + "".join(
    f"def test_{n}(): time.sleep(0.02)\n" for n in range(90)
)


def run(folder: Path, files: dict[str, str], *options: str) -> tuple[int, str]:
    """The exit code and what is printed when two processes run tests."""
    for name, text in files.items():
        (folder / f"test_{name}.py").write_text(text, encoding="utf-8")
    (folder / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-ra", "-p", "tests.forks", "--forks=2", *options]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=100)
    return done.returncode, done.stdout + done.stderr


def test_every_test_runs_once_beside_those_of_its_file(tmp_path: Path) -> None:
    files = {f"file{n}": GOOD.replace("COUNT", "9") for n in range(4)}
    code, told = run(tmp_path, files)
    assert code == 0 and "36 passed" in told, told
    lines = [line.split() for line in (tmp_path / "log").read_text(encoding="utf-8").splitlines()]
    tests = [line for line in lines if line[1] != "end"]
    assert len({tuple(line[1:]) for line in tests}) == len(tests) == 36
    assert all(line[3] == "True" for line in tests), "folders of a process lie beside one another"
    assert len({(line[0], line[1]) for line in tests}) == 4, "a file's tests run in one process"
    assert sum(line[1] == "end" for line in lines) == 4, "what a module shares ends behind its last test"


def test_what_fails_is_told_and_who_dies_is_replaced(tmp_path: Path) -> None:
    code, told = run(tmp_path, {"bad": BAD, "good": GOOD.replace("COUNT", "250")})
    assert code == 1 and "3 failed, 252 passed, 1 skipped, 1 error" in told, told
    for part in ("exit code 3", "SIGKILL", "printed by the test", "assert 1 == 2", "not today", "at the end"):
        assert part in told, part


def test_all_end_at_the_first_failure_that_is_one_too_many(tmp_path: Path) -> None:
    code, told = run(tmp_path, {"bad": STOPPED, "other": STOPPED.replace("assert 0", "pass")}, "-x")
    assert code == 1 and "1 failed" in told and "stopping after 1 failures" in told
    assert "passed" not in told or int(told.split(" passed")[0].split()[-1]) < 91


def test_what_cannot_be_collected_is_told(tmp_path: Path) -> None:
    code, told = run(tmp_path, {"broken": "import nothing_of_that_name", "good": GOOD.replace("COUNT", "2")})
    assert code == 2 and "1 error" in told and "passed" not in told, told
