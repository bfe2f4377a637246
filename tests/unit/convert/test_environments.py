"""Environments are built once from their lock, with a Python that fits; a broken build is none."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from sardonyx.convert import environments
from sardonyx.convert.environments import Lock, built, lock, locks, python_of, remove
from sardonyx.convert.framework import ConvertError
from sardonyx.convert.frameworks import FRAMEWORKS

MINE = f"{sys.version_info.major}.{sys.version_info.minor}"
UV = """#!/bin/sh
echo "uv $@" >> "$UV_LOG"
[ "$1" = venv ] || exit ${UV_CODE:-0}
for folder; do :; done
mkdir -p "$folder/bin" && touch "$folder/bin/python"
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Locks, a cache and a PATH of our own, with an installer that writes down what it is asked."""
    for name in ("locks", "cache", "path"):
        (tmp_path / name).mkdir()
    monkeypatch.setattr(environments, "LOCKS", tmp_path / "locks")
    monkeypatch.setenv("SARDONYX_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", f"{tmp_path / 'path'}:/usr/bin:/bin")
    monkeypatch.setenv("UV_LOG", str(tmp_path / "uv.log"))
    return tmp_path


def program(home: Path, name: str, text: str = UV) -> Path:
    path = home / "path" / name
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755)
    return path


def written(home: Path, name: str, head: str = "") -> Lock:
    (home / "locks" / f"{name}.txt").write_text(f"{head}numpy==2.0\n", encoding="utf-8")
    return lock(name)


def test_every_framework_has_its_lock() -> None:
    assert {row.lock for row in FRAMEWORKS.values() if row.lock} == {row.name for row in locks()}
    for row in locks():
        lines = row.path.read_text(encoding="utf-8").splitlines()
        pinned = [line for line in lines if line and not line.startswith("#")]
        assert all("==" in line for line in pinned), row.name
        assert row.size > 50 and all(version.startswith("3.") for version in row.pythons)


def test_a_lock_is_its_head(home: Path) -> None:
    row = written(home, "some", "# python: 3.9 3.8\n# megabytes: 7\n# installer: pip\n# last: slow==1\n")
    assert (row.pythons, row.size, row.pip, row.last) == (("3.9", "3.8"), 7, True, "slow==1")
    plain = written(home, "plain")
    assert (plain.pythons, plain.size, plain.pip, plain.last) == (("3.11",), 1000, False, "")
    with pytest.raises(ConvertError, match="no environment 'none'; there are plain, some"):
        lock("none")


def test_a_changed_lock_is_another_environment(home: Path) -> None:
    before = written(home, "some").folder
    assert written(home, "some", "# python: 3.9\n").folder != before
    assert before.parent == home / "cache" / "environments"


def test_without_a_cache_there_is_none(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    row = written(home, "some")
    monkeypatch.setenv("SARDONYX_CACHE", "off")
    with pytest.raises(ConvertError, match="set SARDONYX_CACHE to a folder"):
        _ = row.folder


def test_it_is_built_once(home: Path) -> None:
    program(home, "uv")
    row = written(home, "some", f"# python: {MINE}\n# last: slow==1\n")
    assert python_of("some", quiet=True) == row.python and row.is_whole
    asked = (home / "uv.log").read_text().splitlines()
    assert asked == [
        f"uv venv --seed --python={sys.executable} {row.folder}",
        f"uv pip install --python={row.python} --no-deps -r {row.path}",
        f"uv pip install --python={row.python} --no-deps --no-build-isolation slow==1",
    ]
    python_of("some", quiet=True)
    assert len((home / "uv.log").read_text().splitlines()) == 3
    (row.folder / "environment.json").unlink()
    python_of("some", quiet=True)
    assert len((home / "uv.log").read_text().splitlines()) == 6


def test_a_build_that_fails_says_where_its_log_is(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UV_CODE", "3")
    program(home, "uv", UV.replace('[ "$1"', 'echo no such wheel >&2; [ "$1"'))
    row = written(home, "some", f"# python: {MINE}\n")
    with pytest.raises(
        ConvertError, match=r"some could not be built \(uv ended with 3\)(.|\n)*no such wheel"
    ):
        python_of("some", quiet=True)
    assert not row.is_whole and row.folder.with_suffix(".log").is_file()


def test_a_lock_for_pip_brings_its_dependencies(home: Path) -> None:
    program(home, "python9.1", UV.replace("= venv", "= -m").replace("touch", f"cp {home}/path/pip"))
    program(home, "pip", '#!/bin/sh\necho "pip $@" >> "$UV_LOG"\n')
    row = written(home, "some", "# python: 9.1\n# installer: pip\n")
    python_of("some", quiet=True)
    assert (home / "uv.log").read_text().splitlines() == [
        f"uv -m venv {row.folder}",
        f"pip -m pip install -r {row.path}",
    ]


def test_which_python_makes_it(home: Path) -> None:
    own, other = (
        written(home, name, f"# python: {version}\n")
        for name, version in (("own", MINE), ("other", "9.2 9.1"))
    )
    assert environments._creation(own, None) == [sys.executable, "-m", "venv", str(own.folder)]
    with pytest.raises(ConvertError, match=rf"needs Python 9\.2 or 9\.1, and this is {MINE}; install one"):
        environments._creation(other, None)
    assert environments._creation(other, "/uv") == [
        "/uv",
        "venv",
        "--seed",
        "--python=9.2",
        str(other.folder),
    ]
    found = str(program(home, "python9.1"))
    assert environments._creation(other, "/uv")[3] == f"--python={found}"
    assert environments._creation(other, None) == [found, "-m", "venv", str(other.folder)]


def test_they_are_listed_and_removed(home: Path) -> None:
    assert built() == []
    for name, size in (("some-0", 10), ("some-1", 20), ("one-more-2", 5)):
        (home / "cache" / "environments" / name / "bin").mkdir(parents=True)
        (home / "cache" / "environments" / name / "bin" / "python").write_bytes(bytes(size))
    (home / "cache" / "environments" / "some-0.log").write_text("no environment")
    assert [(name, folder.name, size) for name, folder, size in built()] == [
        ("one-more", "one-more-2", 5),
        ("some", "some-0", 10),
        ("some", "some-1", 20),
    ]
    with pytest.raises(ConvertError, match="no environment 'som'; `sardonyx convert env list`"):
        remove("som")
    assert remove("some-1") == 20
    assert remove("all") == 15
    assert built() == []
    assert not list((home / "cache" / "environments").glob("*.log"))


def test_two_processes_remove_the_same(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("some-0", "other-0"):
        (home / "cache" / "environments" / name).mkdir(parents=True)
        (home / "cache" / "environments" / name / "file").write_bytes(bytes(7))
    seen = built()
    monkeypatch.setattr(environments, "built", lambda: seen)
    assert remove("some") == 7
    assert remove("all") == 7, "what another process removed is not counted"


REMOVE = """
import pathlib, sys
from sardonyx.convert import environments
environments.LOCKS = pathlib.Path(sys.argv[1])
environments.remove("some")
"""


def test_an_environment_that_is_used_is_not_removed(home: Path) -> None:
    program(home, "uv")
    row = written(home, "some", f"# python: {MINE}\n")
    command = [sys.executable, "-c", REMOVE, str(home / "locks")]
    with contextlib.ExitStack() as held:
        assert held.enter_context(environments.used("some", quiet=True)) == row.python
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as other:
            assert other.stderr is not None
            assert "waiting for another process, which builds, uses or removes" in other.stderr.readline()
            assert row.is_whole
            held.close()
            assert other.wait(60) == 0 and not row.folder.exists()
    with environments.used("some", quiet=True):
        assert row.is_whole, "it is built again"


def test_what_is_whole(home: Path) -> None:
    row = written(home, "some")
    row.python.parent.mkdir(parents=True)
    row.python.touch()
    assert not row.is_whole
    (row.folder / "environment.json").write_text(json.dumps({}))
    assert row.is_whole
    row.python.unlink()
    assert not row.is_whole


SLOW = UV.replace("exit ${UV_CODE:-0}", 'exec sh -c "$UNTIL_TOLD"')
UNTIL_TOLD = 'while [ ! -e "$UV_LOG.go" ]; do sleep 0.05; done; touch "$UV_LOG.done"'
BUILD = """
import pathlib, sys
from sardonyx.convert import environments
environments.LOCKS = pathlib.Path(sys.argv[1])
environments.python_of("some")
"""


def building(home: Path) -> subprocess.Popen[str]:
    """A process that builds the environment, whose installer goes on when it is told to."""
    program(home, "uv", SLOW)
    process = subprocess.Popen(
        [sys.executable, "-c", BUILD, str(home / "locks")],
        stderr=subprocess.PIPE,
        text=True,
    )
    while not (home / "uv.log").is_file() or "install" not in (home / "uv.log").read_text():
        assert process.poll() is None, process.communicate()[1]
        time.sleep(0.02)
    return process


def test_a_killed_build_is_waited_for_and_done_again(
    home: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UNTIL_TOLD", UNTIL_TOLD)
    row = written(home, "some", f"# python: {MINE}\n")
    first = building(home)
    first.kill()
    first.communicate()
    assert row.folder.is_dir() and not row.is_whole
    timer = threading.Timer(0.3, (home / "uv.log.go").touch)
    timer.start()
    python_of("some")
    timer.join()
    assert row.is_whole and (home / "uv.log.done").is_file()
    assert "waiting for another process" in capfd.readouterr().err


def test_an_interrupted_build_ends_its_installer(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNTIL_TOLD", UNTIL_TOLD)
    row = written(home, "some", f"# python: {MINE}\n")
    first = building(home)
    first.send_signal(signal.SIGINT)
    first.communicate(timeout=10)
    assert not row.is_whole
    (home / "uv.log.go").touch()
    python_of("some", quiet=True)
    assert row.is_whole
