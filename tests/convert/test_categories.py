"""Histogram gradient boosting with native categories says what scikit-learn says; skl2onnx alone does not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder

from sardonyx.convert import from_sklearn

ROWS = 2000
DICE = np.random.default_rng(0)
CODES, FEW = DICE.integers(0, 40, ROWS), DICE.integers(0, 5, ROWS)
NUMBERS = DICE.normal(size=(ROWS, 2)).astype(np.float32)
GOAL = ((CODES * 7 % 11 > 5) ^ (FEW == 2) ^ (NUMBERS[:, 0] > 0)).astype(int) + (CODES % 5 == 0)
MATRIX = np.column_stack([NUMBERS[:, 0], CODES, NUMBERS[:, 1], FEW]).astype(np.float64)
MATRIX[::17, 1] = np.nan
FRAME = pandas.DataFrame(
    {
        "a": NUMBERS[:, 0],
        "code": pandas.Categorical([f"k{code}" for code in CODES]),
        "b": NUMBERS[:, 1],
        "few": pandas.Categorical([f"z{code}" for code in FEW]),
    }
)
TEXTS = FRAME.astype({"code": object, "few": object})
WORDS = np.array(["no", "yes", "so"])[GOAL]
ENCODED = ColumnTransformer([("codes", OrdinalEncoder(), ["code", "few"])], remainder="passthrough")


def boosted(kind: Any, **options: Any) -> Any:
    return kind(max_iter=10, **options)


CASES = {
    "three classes": (boosted(HistGradientBoostingClassifier, categorical_features=[1, 3]), MATRIX, GOAL),
    "two": (boosted(HistGradientBoostingClassifier, categorical_features=[1, 3]), MATRIX, GOAL > 0),
    "words": (boosted(HistGradientBoostingClassifier), FRAME, WORDS),
    "counts": (boosted(HistGradientBoostingRegressor, loss="poisson"), FRAME, GOAL),
    "behind an encoder": (
        make_pipeline(ENCODED, boosted(HistGradientBoostingRegressor, categorical_features=[0, 1])),
        TEXTS,
        GOAL,
    ),
}
QUICK = ("three classes", "words")


@pytest.mark.parametrize(
    "case", [pytest.param(c, marks=() if c in QUICK else pytest.mark.slow) for c in CASES]
)
def test_categories_split_as_they_did(case: str) -> None:
    model, rows, goal = CASES[case]
    model.fit(rows, goal)
    for sample in (rows, None):
        parity = from_sklearn(model, sample=sample).parity
        assert all(output.differing == 0 for output in parity.outputs)


def test_unknown_categories_go_where_missing_ones_go() -> None:
    model = boosted(HistGradientBoostingClassifier).fit(FRAME, WORDS)
    strange = TEXTS.assign(code="never seen", few=[None, "z2"] * (ROWS // 2))
    session = from_sklearn(model).session()
    feeds = {
        name: strange[[name]].fillna("").to_numpy(object if name in ("code", "few") else np.float32)
        for name in FRAME
    }
    assert session.run(None, feeds)[0].tolist() == model.predict(strange).tolist()
