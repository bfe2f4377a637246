"""`sardonyx convert` names the file, tells the parity, and keeps house for environments."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from sardonyx import convert as converting
from sardonyx.convert.framework import ParityError
from sardonyx.convert.frameworks import framework
from sardonyx.convert.parity import OutputParity, Parity
from sardonyx.tools.commands import convert
from sardonyx.tools.console import UserError
from tests.unit.tools.commands.running import run

PARITY = Parity([OutputParity("y", 0.5, 1e-3, 2, 1, 40), OutputParity("z", 0, 0, 0, 0, 4, "wrong")], True)
CONVERTED = SimpleNamespace(parity=PARITY, framework=framework("onnx"), notes=("a note",))


def test_everything_said_is_passed_on(
    model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(
        converting, "convert", lambda *given, **named: (asked.append((given, named)), CONVERTED)[1]
    )
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert run(convert, "convert", model) == 0
    given, named = asked.pop()
    assert given == (model, Path("net.onnx"))
    assert named["kind"] == "onnx" and named["dynamic"] == () and "tolerance" not in named
    assert capsys.readouterr().out.splitlines() == [
        "net.onnx: ONNX and Sardonyx on inputs drawn at random",
        "  output  largest error  relative  differing",
        "  y       0.5            1.0e-03   2 of 40    1 of them undecided",
        "  z       0              0.0e+00   0 of 4     wrong",
        "note: a note",
    ]
    words = ("--dynamic", "batch,,_", "--input", "x=1,2", "--part", "decoder", "--tolerance", "0.5", "--json")
    assert run(convert, "convert", model, "-o", "out/m.onnx", *words) == 0
    given, named = asked.pop()
    assert (given[1], named["dynamic"], named["tolerance"]) == (Path("out/m.onnx"), ("batch", "_"), 0.5)
    assert named["options"] == {"inputs": ["x=1,2"], "part": "decoder"} and named["quiet"]
    told = json.loads(capsys.readouterr().out)
    assert (told["output"], told["kind"], told["notes"], told["drawn"]) == (
        "out/m.onnx",
        "onnx",
        ["a note"],
        True,
    )


def test_what_can_be_forced_says_so(model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise ParityError("y is 2 away")

    monkeypatch.setattr(converting, "convert", refuse)
    with pytest.raises(UserError, match=r"^y is 2 away\. Nothing was written; with --force you"):
        run(convert, "convert", model, "-o", str(tmp_path / "m.onnx"))


def test_the_source_is_not_overwritten(model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(Path(model).parent)
    before = Path(model).read_bytes()
    with pytest.raises(UserError, match=r"net.onnx is the model itself; give another file with -o"):
        run(convert, "convert", "net.onnx")
    assert Path(model).read_bytes() == before


def test_pickles_are_warned_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(converting, "convert", lambda *_, **__: CONVERTED)
    (tmp_path / "m.pkl").write_bytes(b"\x80\x04N.")
    assert run(convert, "convert", str(tmp_path / "m.pkl"), "--from", "sklearn") == 0
    assert "m.pkl runs code that it holds; use files you trust" in capsys.readouterr().err


def test_names_of_files(tmp_path: Path) -> None:
    (tmp_path / "net.v2.pt").touch()
    (tmp_path / "saved.model").mkdir()
    assert convert._stem(str(tmp_path / "net.v2.pt")) == "net.v2"
    assert convert._stem(str(tmp_path / "saved.model")) == "saved.model"
    assert convert._stem("package.module:make_it") == "make_it"
    (tmp_path / "forest.v1.pkl.gz").touch()
    (tmp_path / "net-symbol.json").touch()
    assert convert._stem(str(tmp_path / "forest.v1.pkl.gz")) == "forest.v1"
    assert convert._stem(str(tmp_path / "net-symbol.json")) == "net"
    assert convert._stem(str(tmp_path / "saved.model" / "..")) == tmp_path.name


def test_one_source_at_a_time(model: str) -> None:
    with pytest.raises(UserError, match=r"one source at a time; b\.onnx is too many"):
        run(convert, "convert", model, "b.onnx")


def test_environments(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SARDONYX_CACHE", str(tmp_path))
    folder = tmp_path / "environments" / "jax-0123"
    folder.mkdir(parents=True)
    (folder / "file").write_bytes(bytes(2000))
    assert run(convert, "convert", "env", "list") == 0
    rows = {line.split()[0]: line for line in capsys.readouterr().out.splitlines()}
    assert "not built" in rows["torch"] and "not built" in rows["jax"]
    assert run(convert, "convert", "env", "--json") == 0
    assert json.loads(capsys.readouterr().out) == [{"name": "jax", "folder": str(folder), "bytes": 2000}]
    assert run(convert, "convert", "env", "remove", "jax") == 0
    assert capsys.readouterr().out == "2.0 kB freed\n" and not folder.exists()
    with pytest.raises(UserError, match="`sardonyx convert env list` or"):
        run(convert, "convert", "env", "remove")
