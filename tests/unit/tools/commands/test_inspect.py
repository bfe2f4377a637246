"""`sardonyx inspect` tells what a file says of itself, and what its program takes if one is made."""

from __future__ import annotations

import json

import onnx
import pytest

from sardonyx.tools.commands import inspect
from tests.unit.tools.commands.running import run


def test_the_file_alone(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(inspect, "inspect", model, "--no-compile") == 0
    told = capsys.readouterr().out
    for line in (
        "producer  maker",
        "graph     net",
        "opsets    ai.onnx 17 (IR 8)",
        "author    somebody",
        "  x     tensor(float)  [N, 3]",
        "  gain  tensor(float)  [N]",
        "operators (3)",
        "parameters (3)",
    ):
        assert line in told, line
    assert "memory" not in told
    assert run(inspect, "inspect", model, "--no-compile", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["memory"] is None and found["fallbacks"] is None and found["model"] == model


def test_its_program_as_well(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(inspect, "inspect", model) == 0
    told = capsys.readouterr().out
    assert "intermediate results  as the sizes of the inputs need" in told
    assert "machine code" in told and "operators that do not run native: 0" in told
    assert run(inspect, "inspect", model, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["memory"]["code_bytes"] > 0 and found["fallbacks"] == []


def test_long_texts_are_one_short_line() -> None:
    assert inspect._short("a\n  b") == "a b"
    assert inspect._short("x" * 100) == "x" * 100
    assert inspect._short("x" * 101) == "x" * 97 + "..."


@pytest.mark.parametrize(
    ("stored", "lines"),
    [
        (json.dumps(["a" * 200, "b"]), ["notes", f"  {'a' * 200}", "  b"]),
        ("free words", ["notes     free words"]),
    ],
)
def test_notes_are_shown_whole(
    model: str, capsys: pytest.CaptureFixture[str], stored: str, lines: list[str]
) -> None:
    noted = onnx.load(model)
    noted.metadata_props.add(key="notes", value=stored)
    onnx.save(noted, model)
    assert run(inspect, "inspect", model, "--no-compile") == 0
    told = capsys.readouterr().out
    assert told.count("\nnotes") == 1 and "\n".join(["", *lines, ""]) in told
