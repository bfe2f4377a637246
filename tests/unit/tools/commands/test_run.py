"""`sardonyx run` shows values and what is odd about them, and saves tensors under safe names."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sardonyx.tools.commands import run as running
from sardonyx.tools.console import UserError
from tests.unit.tools.commands.running import run

WIDE = np.arange(8, dtype=np.float32).reshape(2, 4)


def test_once_and_often(model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.save(tmp_path / "x.npy", -np.ones((2, 3), np.float32))
    words = (
        "--input",
        f"x={tmp_path / 'x.npy'}",
        "--dim",
        "N=2",
        "--repeat",
        "3",
        "--output",
        str(tmp_path / "o"),
    )
    assert run(running, "run", model, *words) == 0
    told = capsys.readouterr().out
    assert "gain is random; give it with --input gain=FILE" in told and "median" in told and "of 3" in told
    assert np.load(tmp_path / "o" / "y.npy").tolist() == [[0, 0, 0]] * 2
    assert run(running, "run", model, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["random_inputs"] == ["x", "gain"] and found["fallbacks"] == 0
    with pytest.raises(UserError, match="--repeat 0: give a positive number"):
        run(running, "run", model, "--repeat", "0")


@pytest.mark.parametrize(
    ("value", "row"),
    [
        (WIDE, ("float32", "[2, 4]", "0, 1, 2, 3, 4, 5, ...")),
        (np.array(1.23456789), ("float64", "[]", "1.2346")),
        (np.array(["a"], object), ("object", "[1]", "a")),
        ([1, 2], ("list", "2 items", "")),
        (None, ("NoneType", "", "")),
    ],
)
def test_a_value_for_readers(value: Any, row: tuple[str, str, str]) -> None:
    assert running._row(value) == row


@pytest.mark.parametrize(
    ("value", "facts"),
    [
        (WIDE,
         {"dtype": "float32", "shape": [2, 4], "min": 0, "max": 7, "mean": 3.5, "first": [0, 1, 2, 3, 4, 5]}),
        (np.array([np.nan, -np.inf, 2]),
         {"dtype": "float64", "shape": [3], "min": 2, "max": 2, "mean": 2, "nan": 1, "infinite": 1,
          "first": ["nan", "-inf", 2]}),
        (np.zeros((0, 2)), {"dtype": "float64", "shape": [0, 2], "first": []}),
        (np.array(["a"], object), {"dtype": "object", "shape": [1], "first": ["a"]}),
        ({1: 2}, {"type": "dict", "items": 1}),
        (None, {"type": "NoneType", "items": None}),
    ],
)  # fmt: skip
def test_a_value_for_programs(value: Any, facts: dict[str, Any]) -> None:
    assert running._facts(value) == facts


def test_what_is_odd() -> None:
    odd = np.array([np.nan, np.inf, 1])
    assert running._remark("y", odd, False) == "y: 1 of 3 elements NaN and 1 of 3 elements infinite"
    assert running._remark("y", odd, True).endswith(
        "; random inputs may lie outside of what the model was made for"
    )
    for plain in (WIDE, [1], np.array(["nan"], object), np.array([True]), np.array(["nan"])):
        assert running._remark("y", plain, True) == ""
    assert running._strange(np.array([1j, np.nan + 1j])) == {"NaN": 1}


def test_only_tensors_are_saved(tmp_path: Path) -> None:
    running._save(tmp_path, ["a/b:0", "words"], [WIDE, np.array(["x"], object)])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a_b_0.npy", "words.npy"]
    with pytest.raises(UserError, match="--output: m is a dict, only tensors can be saved"):
        running._save(tmp_path, ["m"], [{}])
