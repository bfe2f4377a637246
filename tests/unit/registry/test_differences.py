"""Floats of a shadow agree within a thousandth, all else if it is equal; or it is said where they do not."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest

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


@pytest.mark.parametrize(
    ("served", "shadow", "agree"),
    [
        (np.int64([30_000]), np.int64([30_001]), False),
        (np.uint8([200]), np.uint8([201]), False),
        (np.int64([1 << 60]), np.int64([(1 << 60) + 1]), False),
        (np.bool_([True]), np.bool_([False]), False),
        (np.int64([7]), np.int64([7]), True),
        (np.float32([np.inf, -np.inf]), np.float32([np.inf, -np.inf]), True),
        (np.float32([np.inf, 1.0]), np.float32([np.inf, 1.0001]), True),
        (np.float32([np.inf]), np.float32([1.0]), False),
        (np.float32([1.0]), np.float32([np.inf]), False),
        (np.float32([np.inf]), np.float32([-np.inf]), False),
        (np.float16([1.0, np.nan]), np.float16([1.001, np.nan]), True),
        (np.array([1.0], ml_dtypes.bfloat16), np.array([1.0078], ml_dtypes.bfloat16), False),
    ],
)
def test_what_names_something_must_be_equal(served: Any, shadow: Any, agree: bool) -> None:
    assert (difference(answer(y=served), answer(y=shadow)) == {}) is agree


def test_texts_without_a_shape() -> None:
    assert difference(answer(y=np.array(b"a", object)), answer(y=np.array(b"a", object))) == {}
    assert (
        difference(answer(y=np.array(b"a", object)), answer(y=np.array(b"b", object)))["y"]["served"] == "a"
    )


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
