"""`sardonyx task` lists tasks, and tells, prints or writes the answer of one."""

from __future__ import annotations

import json
import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sardonyx.tools.commands import task
from sardonyx.tools.console import UserError
from sardonyx.zoo import FetchError, tasks
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


def test_the_list(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(task, "task", "--json") == 0
    assert [row["name"] for row in json.loads(capsys.readouterr().out)] == list(TASKS)
    assert run(task, "task") == 0
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


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("ocr",), "the task ocr needs INPUT: picture"),
        (("minilm_l6_int8w",), "the task embed needs INPUT: texts"),
        (("ocr", "page.png", "--sample"), "not both"),
    ],
)
def test_what_is_missing(words: tuple[str, ...], said: str, asked: list[Any]) -> None:
    with pytest.raises(UserError, match=said):
        run(task, "task", *words)
    assert not asked


@pytest.mark.parametrize("words", [("minilm_l6_int8w",), ("label",), ("label", "--model", "minilm_l6_int8w")])
def test_a_sample(words: tuple[str, ...], asked: list[Any], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(task, "task", *words, "--sample") == 0
    assert asked == [("label", "minilm_l6_int8w", ["shares fell today", "sports", "finance"])]
    told = capsys.readouterr().err
    assert told == "sardonyx task label 'shares fell today' sports finance --model minilm_l6_int8w\n"


@pytest.mark.parametrize("words", [("speak",), ("search",), ("table",), ("mnist_cntk",)])
def test_no_sample(words: tuple[str, ...], asked: list[Any]) -> None:
    with pytest.raises(FetchError, match="there is no sample of"):
        run(task, "task", *words, "--sample")
    assert not asked


@pytest.mark.usefixtures("asked")
@pytest.mark.parametrize("words", [(), ("-o", "speech.wav", "--json")])
def test_a_sound_is_always_written(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(task, "task", "speak", "hello", *words) == 0
    with wave.open("speech.wav") as file:
        assert file.getnframes() == 4
    assert ("speech.wav written" in capsys.readouterr().out) == (not words)
