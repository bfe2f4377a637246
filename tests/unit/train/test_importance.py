"""Columns that a model needs come first, and many at once are as one after the other."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression

from sardonyx.train import importance as asked
from sardonyx.train.importance import importance

ROWS = pandas.DataFrame({"noise": np.arange(40) % 3, "told": np.arange(40.0)})


def test_columns_that_matter_come_first() -> None:
    model = LinearRegression().fit(ROWS, ROWS["told"])
    found = importance(model, ROWS, ROWS["told"].to_numpy(), 0, False)
    assert [name for name, _, _ in found] == ["told", "noise"] and found[0][1] > 1 > abs(found[1][1])


@pytest.mark.parametrize("classifies", [True, False])
def test_columns_are_asked_many_at_once(classifies: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    goal = np.where(ROWS["told"] > 15, "late", "soon") if classifies else ROWS["told"].to_numpy() ** 2
    model: Any = (LogisticRegression() if classifies else LinearRegression()).fit(ROWS, goal)
    together = importance(model, ROWS, goal, 1, classifies)
    monkeypatch.setattr(asked, "CELLS", 1)
    apart = importance(model, ROWS, goal, 1, classifies)
    assert [name for name, *_ in apart] == [name for name, *_ in together]
    np.testing.assert_allclose([row[1:] for row in apart], [row[1:] for row in together], rtol=1e-6)
    assert together[0][0] == "told" and together[0][1] > 0 < together[0][2]
