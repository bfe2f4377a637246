"""Answers of a shadow agree within a thousandth, or it is said where they do not."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from sardonyx.database import Database
from sardonyx.protocol.messages import InferResponse, Tensor
from sardonyx.protocol.records import Difference
from sardonyx.registry import differences
from sardonyx.registry.differences import Differences, difference


def answer(**outputs: Any) -> InferResponse:
    arrays = {name: np.asarray(data) for name, data in outputs.items()}
    return InferResponse("m", "1", [Tensor(n, str(a.dtype), a.shape, a) for n, a in arrays.items()])


def test_what_agrees() -> None:
    assert difference(answer(y=[1.0, np.nan]), answer(y=[1.0009, np.nan])) == {}
    assert difference(answer(y=["a"]), answer(y=["a"])) == {}
    assert difference(answer(y=3), answer(y=3)) == {}


def test_what_differs_is_placed_and_measured() -> None:
    found = difference(answer(y=[[1.0, 2.0], [3.0, 4.0]]), answer(y=[[1.0, 2.5], [3.0, 9.0]]))["y"]
    assert found == {"elements": 2, "of": 4, "at": [0, 1], "largest": 5.0, "served": 2.0, "shadow": 2.5}
    assert difference(answer(y=["a", "b"]), answer(y=["a", "c"]))["y"]["at"] == [1]
    assert difference(answer(y=[np.nan]), answer(y=[1.0]))["y"]["elements"] == 1


def test_outputs_that_are_missing_or_shaped_otherwise() -> None:
    found = difference(answer(a=[1.0], b=[1.0]), answer(b=[[1.0]], c=[1.0]))
    assert found["a"] == {"missing_in": "shadow"}
    assert found["c"] == {"missing_in": "served"}
    assert found["b"] == {"served": "float64[1]", "shadow": "float64[1, 1]"}


def test_the_newest_are_kept(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(differences, "KEPT", 3)
    database = Database(f"sqlite:///{tmp_path / 'db'}")
    database.prepare()
    kept = Differences(database)
    for number in range(5):
        one = Difference(
            deployment="a", shadow="b", request=str(number), at=datetime.now(UTC), detail={"n": number}
        )
        kept.add("e", [one])
    assert [entry.request for entry in kept.entries("e")] == ["4", "3", "2"]
    assert kept.entries("e", 1)[0].detail == {"n": 4}
    assert kept.entries("other") == []
