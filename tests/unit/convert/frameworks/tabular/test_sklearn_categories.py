"""Splits by sets of categories become columns of zeros and ones, and skl2onnx is left as it was."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import skl2onnx
from skl2onnx import _supported_operators as known
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from threadpoolctl import threadpool_limits

from sardonyx import InferenceSession
from sardonyx.convert.framework import ConvertError
from sardonyx.convert.frameworks.tabular import sklearn_categories
from sardonyx.convert.frameworks.tabular.sklearn_categories import _Trees, _Writer, registered


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    with threadpool_limits(1):
        yield


def leaf(value: float) -> dict[str, Any]:
    return {"is_leaf": True, "value": value}


def split(feature: int, **facts: Any) -> dict[str, Any]:
    return {
        "is_leaf": False, "is_categorical": False, "feature_idx": feature, "num_threshold": 0.5, "left": 1,
        "right": 2, "missing_go_to_left": False, **facts,
    }  # fmt: skip


def test_a_converter_is_ours_for_a_while() -> None:
    before = dict(known.sklearn_operator_name_map)
    with registered():
        alias = known.sklearn_operator_name_map[HistGradientBoostingClassifier]
        assert alias == "SardonyxHistGradientBoostingClassifier"
    assert (
        known.sklearn_operator_name_map[HistGradientBoostingClassifier]
        == before[HistGradientBoostingClassifier]
    )


@pytest.mark.parametrize("words", [True, False])
def test_it_says_what_the_model_says(words: bool) -> None:
    random = np.random.default_rng(0)
    rows = np.stack([random.integers(0, 40, 200), random.normal(size=200)], 1).astype(np.float32)
    labels = np.where((rows[:, 0] % 3 == 1) ^ (rows[:, 1] > 0), *(("yes", "no") if words else (7, 3)))
    model = HistGradientBoostingClassifier(max_iter=3, categorical_features=[0], min_samples_leaf=2).fit(
        rows, labels
    )
    with registered():
        proto = skl2onnx.convert_sklearn(
            model,
            initial_types=[("x", skl2onnx.common.data_types.FloatTensorType([None, 2]))],
            options={id(model): {"zipmap": False}},
            target_opset={"": 17, "ai.onnx.ml": 3},
        )
    kinds = [node.op_type for node in proto.graph.node]
    assert kinds.count("TreeEnsembleRegressor") == 1 and "Sigmoid" in kinds
    label, chances = InferenceSession(proto.SerializeToString()).run(None, {"x": rows})
    assert label.tolist() == model.predict(rows).tolist()
    np.testing.assert_allclose(chances, model.predict_proba(rows), atol=1e-6)


def test_sets_of_categories() -> None:
    bits = np.array([0b101, 0b1], np.uint32)
    right = sklearn_categories._right(bits, 34, {"missing_go_to_left": True})
    assert right[[0, 1, 2, 31, 32, 33, 34]].tolist() == [0, 1, 0, 1, 0, 1, 0]


def test_rows_on_a_threshold_go_where_they_went() -> None:
    near = np.float32(0.1)
    rows = np.array([[0, np.nextafter(near, np.float32(0))], [1, near]] * 20, np.float64)
    model = HistGradientBoostingRegressor(max_iter=1, categorical_features=[0], min_samples_leaf=1)
    model.fit(rows, rows[:, 1] > 0.1)
    nodes = model._predictors[0][0].nodes
    nodes["feature_idx"][0], nodes["is_categorical"][0], nodes["num_threshold"][0] = 1, False, 0.1
    _, trees = sklearn_categories._planned(model, 1, [np.array([0.0, 1.0])])
    assert trees.nodes["nodes_values"][0] < near


def test_trees_over_numbers_and_sets() -> None:
    by_set = split(0, is_categorical=True, bitset_idx=0, missing_go_to_left=True)
    predictors = [
        SimpleNamespace(
            nodes=[by_set, leaf(1.0), leaf(2.0)], raw_left_cat_bitsets=[np.array([0b10], np.uint32)]
        ),
        SimpleNamespace(nodes=[split(2), leaf(3.0), leaf(4.0)], raw_left_cat_bitsets=[]),
    ]
    model = SimpleNamespace(_predictors=[predictors], n_trees_per_iteration_=2)
    tables, trees = sklearn_categories._planned(model, 2, [np.array(["a", "b", np.nan], object)])
    assert tables[0].tolist() == [[1], [0], [0]]
    assert trees.nodes["nodes_featureids"] == [2, 0, 0, 1, 0, 0]
    assert trees.nodes["nodes_missing_value_tracks_true"] == [1, 0, 0, 0, 0, 0]
    assert trees.nodes["nodes_modes"] == ["BRANCH_LEQ", "LEAF", "LEAF"] * 2
    assert (trees.leaves["target_ids"], trees.leaves["target_weights"]) == ([0, 0, 1, 1], [1, 2, 3, 4])
    assert trees.nodes["nodes_treeids"] == [0, 0, 0, 1, 1, 1] and trees.count == 6 and _Trees().count == 0


def test_what_is_not_known() -> None:
    writer = _Writer(None, SimpleNamespace(inputs=[], outputs=[]), None)
    with pytest.raises(ConvertError, match="reads more columns than it is given"):
        writer.column(0)
    writer.operator.outputs = [SimpleNamespace(full_name="y")]
    model = SimpleNamespace(_loss=SimpleNamespace(link=object()), loss="odd")
    with pytest.raises(ConvertError, match=r"the loss odd has a link \(object\) that is not known here"):
        writer.finish(model, "raw")
