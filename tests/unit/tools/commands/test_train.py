"""`sardonyx train` passes on what was said, writes beside the model, and puts trainings beside each other."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas
import pytest

from sardonyx import train as training
from sardonyx.convert.parity import Parity
from sardonyx.tools.commands import train
from sardonyx.tools.console import UserError
from sardonyx.train.scores import Score
from sardonyx.train.table import Column
from sardonyx.train.training import Candidate, Settings, Trained
from tests.unit.tools.commands.running import run

MODEL = SimpleNamespace(SerializeToString=lambda: b"onnx")
CONVERTED: Any = SimpleNamespace(model=MODEL, parity=Parity([], False), notes=("a note",))
TRAINED = Trained(
    Settings("y"),
    [Column("size", "number", 3, 2), Column("id", "ignored", 9, 0, "all different")],
    ["a", "b"],
    [Candidate("linear", {}, 0.5, 0, 1), Candidate("random forest", {}, 0.25, 0, 1)],
    [Score("accuracy", 0.91234, 0.85, 0.95)],
    [Score("accuracy", 0.5, 0.4, 0.6)],
    [("size", 0.5, 0.1)],
    ["look here"],
    np.zeros(1),
    np.zeros((1, 2)),
    CONVERTED,
    pandas.DataFrame({"size": [1]}),
    9,
    None,
)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[Any]:
    found: list[Any] = []
    monkeypatch.setattr(training, "train", lambda *given: (found.append(given), TRAINED)[1], raising=False)
    monkeypatch.chdir(tmp_path)
    return found


def test_text_and_files(asked: list[Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(train, "train", "shop.csv", "--target", "y") == 0
    assert asked == [("shop.csv", Settings("y"), None)]
    assert capsys.readouterr().out.splitlines() == [
        "  size  number   2 missing",
        "  id    ignored             all different",
        "random forest is the best of 2 candidates",
        "  on rows never seen          95 of 100 draws  always the same answer",
        "  accuracy            0.9123  0.85 to 0.95     0.5",
        "look: look here",
        "note: a note",
        "shop.onnx written",
        "shop.train.json written",
        "shop.baseline.csv written",
    ]
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "shop.baseline.csv",
        "shop.onnx",
        "shop.train.json",
    ]


def test_everything_said_is_passed_on(asked: list[Any], capsys: pytest.CaptureFixture[str]) -> None:
    words = [
        "--split",
        "time:day",
        "--goal",
        "values",
        "--type",
        "a=b=number",
        "--ignore",
        "id",
        "--budget",
        "0",
    ]
    words += ["--trials", "3", "--seed", "7", "--query", "select", "-o", "m.onnx", "--json"]
    assert run(train, "train", "shop.csv", "--target", "y", *words) == 0
    expected = Settings(
        "y",
        budget=0,
        trials=3,
        seed=7,
        split="time:day",
        kinds={"a=b": "number"},
        ignored=("id",),
        goal="values",
    )
    assert asked == [("shop.csv", expected, "select")]
    told = json.loads(capsys.readouterr().out)
    assert told["written"] == ["m.onnx", "m.train.json", "m.baseline.csv"] and told["rows"] == 9


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("a.csv", "b.csv"), r"one table at a time; b\.csv is too many"),
        (("none.csv",), r"there is no file none\.csv"),
        ((__file__,), "which column is to be predicted"),
        (("a.csv", "--target", "y", "--trials", "0"), "--trials 0: give 1 or more"),
        (("a.csv", "--target", "y", "--type", "age"), "--type 'age': write COLUMN=KIND"),
        (("compare", "a.onnx"), "compare which trainings"),
    ],
)
def test_what_makes_no_sense(words: tuple[str, ...], told: str, asked: list[Any]) -> None:
    with pytest.raises(UserError, match=told):
        run(train, "train", *words)
    assert asked == []


@pytest.mark.usefixtures("asked")
def test_trainings_beside_each_other(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("one", "two"):
        TRAINED.save(tmp_path / f"{name}.onnx")
    record = json.loads((tmp_path / "two.train.json").read_text())
    record["scores"] = [{"name": "accuracy", "value": 0.99, "low": 0.98, "high": 1.0}]
    record["settings"]["seed"] = 5
    (tmp_path / "two.train.json").write_text(json.dumps(record))
    assert run(train, "train", "compare", "one.onnx", "two.train.json") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["one", "two"]
    assert "0.9123 (0.85 to 0.95)" in lines[1] and lines[1].endswith("two is better")
    assert run(train, "train", "compare", "one.onnx", "one.onnx") == 0
    assert "no clear difference" in capsys.readouterr().out
    assert run(train, "train", "compare", "one.onnx", "two.onnx", "--json") == 0
    assert json.loads(capsys.readouterr().out)["scores"]["accuracy"]["best"] == 1
