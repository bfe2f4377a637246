"""Trainings are compared by what stands in their records."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sardonyx.errors import SardonyxError
from sardonyx.train.runs import compared


def record(path: Path, value: float, name: str = "accuracy", **settings: Any) -> Path:
    told = {
        "settings": {"target": "y", "seed": 0, **settings},
        "rows": 90,
        "columns": [{"name": "x", "kind": settings.get("kind", "number")}],
        "candidates": [{"family": "linear", "loss": 0.2}, {"family": "forest", "loss": 0.3}],
        "scores": [{"name": name, "value": value, "low": value - 0.05, "high": value + 0.05}],
        "warnings": [],
    }
    path.write_text(json.dumps(told))
    return path


def test_what_differs_and_what_is_better(tmp_path: Path) -> None:
    first, second = record(tmp_path / "a.train.json", 0.7), record(tmp_path / "b.train.json", 0.8, seed=1)
    found = compared([tmp_path / "a.onnx", second])
    assert found["differs"] == {"seed": [0, 1]}
    assert found["scores"]["accuracy"]["best"] == 1
    near = compared([first, record(tmp_path / "c.train.json", 0.72, kind="text")])
    assert near["scores"]["accuracy"]["best"] is None
    assert near["differs"]["kind of x"] == ["number", "text"]
    losses = [record(tmp_path / f"{value}.json", value, "log loss") for value in (0.2, 0.6)]
    assert compared(losses)["scores"]["log loss"]["best"] == 0


def test_what_is_no_record_is_named(tmp_path: Path) -> None:
    good = record(tmp_path / "a.train.json", 0.7)
    for text in ("{", "[]", "{}"):
        (tmp_path / "bad.json").write_text(text)
        with pytest.raises(SardonyxError, match=r"bad\.json is not a record"):
            compared([good, tmp_path / "bad.json"])
    with pytest.raises(SardonyxError, match=r"none\.json cannot be read"):
        compared([good, tmp_path / "none.json"])
    with pytest.raises(SardonyxError, match="cannot be compared"):
        compared([good, record(tmp_path / "b.train.json", 3.0, "mean absolute error")])
