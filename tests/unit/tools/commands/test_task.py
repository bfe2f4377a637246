"""`sardonyx task` lists tasks, and tells, prints or writes the answer of one."""

from __future__ import annotations

import json
import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sardonyx.tools.commands import task
from sardonyx.zoo import tasks
from sardonyx.zoo.tasks import TASKS
from sardonyx.zoo.tasks.answer import Answer
from tests.unit.tools.commands.running import run


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[Any]:
    """Tasks whose answer is what they were asked; `speak` answers with a sound."""
    found: list[Any] = []

    def answered(name: str, model: str | None, inputs: list[str]) -> Answer:
        found.append((name, model, inputs))
        return Answer("told", {"a": 1}, sound=(np.zeros(4), 8000) if name == "speak" else None)

    monkeypatch.setattr(tasks, "answered", answered)
    monkeypatch.chdir(tmp_path)
    return found


@pytest.mark.parametrize("words", [(), ("ocr",)])
def test_the_list(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(task, "task", *words) == 0
    head, *rows = capsys.readouterr().out.splitlines()
    assert head.split() == ["task", "takes", "gives", "models"]
    assert [row.split()[0] for row in rows] == list(TASKS)


def test_an_answer(asked: list[Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(task, "task", "label", "text", "good", "bad", "--model", "minilm_l6_int8w") == 0
    assert asked == [("label", "minilm_l6_int8w", ["text", "good", "bad"])]
    assert capsys.readouterr().out == "told\n"
    assert run(task, "task", "ocr", "page.png", "-o", "out.txt") == 0
    assert capsys.readouterr().out == "told\nout.txt written\n" and Path("out.txt").read_text() == "told\n"
    assert run(task, "task", "ocr", "page.png", "--json") == 0
    assert json.loads(capsys.readouterr().out) == {"a": 1}
    assert [path.name for path in tmp_path.iterdir()] == ["out.txt"]


@pytest.mark.usefixtures("asked")
@pytest.mark.parametrize("words", [(), ("-o", "speech.wav", "--json")])
def test_a_sound_is_always_written(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(task, "task", "speak", "hello", *words) == 0
    with wave.open("speech.wav") as file:
        assert file.getnframes() == 4
    assert ("speech.wav written" in capsys.readouterr().out) == (not words)
