"""CatBoost's trees say as ONNX what they say by its rules: any shape, loss, kind of label, missing values."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import sardonyx
from sardonyx.authoring import GraphWriter
from sardonyx.convert.framework import ConvertError
from sardonyx.convert.frameworks.tabular import catboost_trees as trees
from sardonyx.convert.frameworks.tabular.ensembles import saved
from tests.unit.convert.frameworks.tabular.catboost_saved import described, scores, split, symmetric

RANDOM = np.random.default_rng(0)
ROWS = RANDOM.normal(size=(40, 3)).astype(np.float32)
ROWS[::5, 0] = ROWS[1::5, 1] = ROWS[2::5, 2] = np.nan
ROWS[3, 1] = 0.5
PAIRS = [(0, -0.25), (1, 0.5), (2, 0.0)]


def leaf(outputs: int) -> dict[str, Any]:
    return {"value": RANDOM.normal(size=outputs).tolist() if outputs > 1 else RANDOM.normal()}


def crooked(outputs: int) -> dict[str, Any]:
    low = {"split": split(*PAIRS[2]), "left": leaf(outputs), "right": leaf(outputs)}
    high = {"split": split(*PAIRS[1]), "left": low, "right": leaf(outputs)}
    return {"split": split(*PAIRS[0]), "left": leaf(outputs), "right": high}


def level(outputs: int) -> dict[str, Any]:
    return symmetric(PAIRS, RANDOM.normal(size=(8, outputs)))


def answered(told: dict[str, Any], loss: str, classes: Any = ()) -> list[Any]:
    graph = GraphWriter()
    outputs = trees.written(graph, trees.Model(told, loss), np.asarray(classes), 3)
    content = saved(graph, "catboost", 3, outputs, rows=trees.ROWS)
    return list(sardonyx.InferenceSession(content).run(None, {trees.ROWS: ROWS}))


@pytest.mark.parametrize("tree", [level, crooked])
@pytest.mark.parametrize("outputs", [1, 3])
def test_trees_of_each_shape(tree: Any, outputs: int) -> None:
    told = described([tree(outputs), tree(outputs)], outputs, scale=0.5)
    (value,) = answered(told, "MultiRMSE" if outputs > 1 else "RMSE")
    np.testing.assert_allclose(value, scores(told, ROWS), rtol=1e-5, atol=1e-6)


def test_what_a_loss_makes_of_scores() -> None:
    one, two = described([level(1)]), described([level(2)], 2)
    np.testing.assert_allclose(answered(one, "Poisson")[0], np.exp(scores(one, ROWS)), rtol=1e-5)
    mean, deviation = scores(two, ROWS).T
    expected = np.stack([mean, np.exp(2 * deviation)], 1)
    np.testing.assert_allclose(answered(two, trees.UNCERTAIN)[0], expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("classes", [[False, True], [3, 7], [0.5, 1.5], ["a", "b"]])
def test_labels_of_every_kind(classes: list[Any]) -> None:
    told = described([crooked(1)])
    label, likely = answered(told, "Logloss", classes)
    second = 1 / (1 + np.exp(-scores(told, ROWS)[:, 0]))
    np.testing.assert_allclose(likely, np.stack([1 - second, second], 1), rtol=1e-5, atol=1e-6)
    assert list(label) == [classes[int(is_second)] for is_second in second > 0.5]
    assert 0 < (second > 0.5).sum() < len(second)


def test_a_border_that_was_set_decides() -> None:
    told = described([level(1)])
    second = 1 / (1 + np.exp(-scores(told, ROWS)[:, 0]))
    border = float(np.sort(second)[3] + np.sort(second)[-4]) / 2 - 0.2
    told["model_info"]["binclass_probability_threshold"] = border
    label, _ = answered(told, "Logloss", [0, 1])
    assert list(label) == list((second > border).astype(int)) != list((second > 0.5).astype(int))


@pytest.mark.parametrize("loss", ["MultiClass", "MultiClassOneVsAll", "MultiLogloss"])
def test_more_classes(loss: str) -> None:
    told = described([level(3)], 3)
    label, likely = answered(told, loss, [0, 1, 2])
    raw = scores(told, ROWS)
    alone = 1 / (1 + np.exp(-raw))
    together = np.exp(raw) / np.exp(raw).sum(1, keepdims=True)
    np.testing.assert_allclose(likely, together if loss == "MultiClass" else alone, rtol=1e-5)
    expected = (alone > 0.5) if loss == "MultiLogloss" else raw.argmax(1)
    np.testing.assert_array_equal(label, expected)


def test_no_trees_are_refused() -> None:
    told = {**described([level(1)]), "oblivious_trees": []}
    with pytest.raises(ConvertError, match="has no trees; train it"):
        answered(told, "RMSE")
