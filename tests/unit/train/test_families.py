"""Every family makes a pipeline that takes raw columns, for classes and for values, and repeats itself."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas
import pytest
import scipy.sparse
from threadpoolctl import threadpool_limits

from sardonyx.train import families
from sardonyx.train.families import FAMILIES, Family
from sardonyx.train.table import Column

ROWS = 40
DICE = np.random.default_rng(0)
FRAME = pandas.DataFrame(
    {
        "size": np.where(np.arange(ROWS) % 9, DICE.normal(size=ROWS), np.nan),
        "kind": DICE.choice(["a", "b", "c"], ROWS),
        "words": [("good" if at % 2 else "bad") + " words of somebody" for at in range(ROWS)],
    }
)
COLUMNS = [
    Column(name, kind, 3, 0) for name, kind in (("size", "number"), ("kind", "category"), ("words", "text"))
]
CLASSES = np.arange(ROWS) % 2
QUICK = {"linear": {"C": 1.0}, "histogram boosting": {"max_iter": 2}}


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
@pytest.mark.parametrize("classifies", [True, False])
def test_a_pipeline_takes_raw_columns(family: Family, classifies: bool) -> None:
    settings = QUICK.get(family.name, {"n_estimators": 3})
    with threadpool_limits(1):
        first, second = (
            family.make(COLUMNS, settings, classifies, 1).fit(FRAME, CLASSES).predict(FRAME) for _ in range(2)
        )
    np.testing.assert_array_equal(first, second)
    assert set(first) <= {0, 1} if classifies else first.dtype.kind == "f"


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_drawn_settings_are_taken_and_differ(family: Family) -> None:
    random = np.random.default_rng(0)
    drawn = [family.draw(random) for _ in range(5)]
    assert len({tuple(row.items()) for row in drawn}) == 5
    assert all(row.keys() >= family.first.keys() for row in drawn)
    for row in (*drawn, family.first):
        model = family.make(COLUMNS, row, True, 0)[-1]
        known = model.get_params()
        assert all(known[name] == value for name, value in row.items())


def test_categories_are_ones_for_a_line_and_numbers_for_trees() -> None:
    kinds = {}
    for family in FAMILIES:
        parts = family.make(COLUMNS, family.first, True, 0)[0].transformers
        kinds[family.name] = next(type(part) for name, part, _ in parts if name == "categories")
    assert kinds.pop("linear").__name__ == "OneHotEncoder"
    assert {kind.__name__ for kind in kinds.values()} == {"OrdinalEncoder"}


@pytest.mark.parametrize(
    ("kinds", "parts"), [(("number",), 1), (("text", "text"), 2), (("number", "category", "text"), 3)]
)
def test_columns_of_one_kind_alone(kinds: tuple[str, ...], parts: int) -> None:
    columns: list[Any] = [Column(f"c{at}", kind, 3, 0) for at, kind in enumerate(kinds)]
    for family in FAMILIES:
        assert len(family.make(columns, family.first, False, 0)[0].transformers) == parts


@pytest.mark.parametrize("classifies", [True, False])
def test_trees_of_forests_do_not_grow_with_the_rows(
    classifies: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(families, "TREE_ROWS", 10)
    for family in FAMILIES:
        model = family.make(COLUMNS, QUICK.get(family.name, {"n_estimators": 3}), classifies, 1)
        limits = [families.limited(model, rows)[-1].get_params().get("max_samples") for rows in (10, ROWS)]
        assert limits == ([None, 10] if family.name == "random forest" else [None, None])
    with threadpool_limits(1):
        model.fit(FRAME, CLASSES)
    assert max(tree.tree_.n_node_samples[0] for tree in model[-1].estimators_) <= 10


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_words_are_held_without_their_zeros(family: Family) -> None:
    frame = FRAME.assign(words=[f"word{at} word{at // 2} word{at // 2 + 1}" for at in range(ROWS)])
    table = family.make(COLUMNS, family.first, True, 0)[0].fit_transform(frame)
    assert scipy.sparse.issparse(table) == family.sparse
    plain = family.make(COLUMNS[:2], family.first, True, 0)[0].fit_transform(frame)
    assert not scipy.sparse.issparse(plain)


def test_what_holds_zeros_is_not_tried_on_many_texts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(families, "DENSE_ROWS", 100)
    few, many = (families.affordable(FAMILIES, COLUMNS, rows) for rows in (100, 101))
    assert few == FAMILIES and {row.name for row in few if row not in many} == {"histogram boosting"}
    assert families.affordable(FAMILIES, [*COLUMNS, COLUMNS[2]], 51) == many
    assert families.affordable(FAMILIES, COLUMNS[:2], 10**9) == FAMILIES
