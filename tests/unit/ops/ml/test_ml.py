"""Operators of ai.onnx.ml beside onnxruntime."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from onnx import numpy_helper

from sardonyx.base import dtype as dt
from sardonyx.errors import ShapeError
from sardonyx.ir.algorithms.dictionary import zip_map
from sardonyx.ir.value import const, placeholder
from sardonyx.ops.ml.classify import linear_classifier, linear_regressor
from sardonyx.ops.ml.dictionary import category_mapper, label_encoder
from sardonyx.ops.ml.trees import tree_ensemble, tree_ensemble_classifier, tree_ensemble_regressor
from tests.unit.ops.peer import assert_agree, both

Array = np.ndarray[Any, Any]
RNG = np.random.default_rng(0)
X = RNG.standard_normal((7, 5)).astype(np.float32)
GAPS = np.where(RNG.random(X.shape) < 0.2, np.float32(np.nan), X)
TRANSFORMS = ("NONE", "LOGISTIC", "SOFTMAX", "SOFTMAX_ZERO")
MODES = ("BRANCH_LEQ", "BRANCH_LT", "BRANCH_GT", "BRANCH_GTE")


def forest(kind: str, ids: tuple[int, ...], positive: bool = False) -> dict[str, Any]:
    """The attributes of four full trees of depth two, every leaf with a weight for each id."""
    inner = [n < 3 for _ in range(4) for n in range(7)]
    nodes = {
        "treeids": [t for t in range(4) for _ in range(7)],
        "nodeids": [n for _ in range(4) for n in range(7)],
        "featureids": [int(RNG.integers(5)) for _ in inner],
        "values": [float(v) for v in RNG.standard_normal(28)],
        "modes": [MODES[i // 7] if inner[i] else "LEAF" for i in range(28)],
        "truenodeids": [2 * (i % 7) + 1 if inner[i] else 0 for i in range(28)],
        "falsenodeids": [2 * (i % 7) + 2 if inner[i] else 0 for i in range(28)],
        "missing_value_tracks_true": [i % 2 for i in range(28)],
    }
    leaves = [(t, n, k) for t in range(4) for n in range(3, 7) for k in ids]
    weights = RNG.standard_normal(len(leaves))
    columns = zip(("treeids", "nodeids", "ids"), zip(*leaves, strict=True), strict=True)
    found = {f"{kind}_{name}": list(column) for name, column in columns}
    found[f"{kind}_weights"] = (np.abs(weights) if positive else weights).astype(np.float32).tolist()
    return found | {f"nodes_{name}": column for name, column in nodes.items()}


@pytest.mark.parametrize("transform", TRANSFORMS)
@pytest.mark.parametrize(
    ("classes", "ids", "positive", "base"),
    [
        (3, (0, 1, 2), False, ()),
        (3, (0, 2), True, ()),
        (3, (0, 1, 2), False, (0.1, 0.2, 0.3)),
        (2, (0,), True, ()),
        (2, (0,), False, (0.3,)),
        (2, (1,), False, ()),
    ],
)
def test_trees_that_classify(
    transform: str, classes: int, ids: tuple[int, ...], positive: bool, base: tuple[float, ...]
) -> None:
    attributes = forest("class", ids, positive) | {"post_transform": transform}
    attributes["classlabels_int64s"] = list(range(10, 10 + classes))
    if base:
        attributes["base_values"] = list(base)
    assert_agree(*both("TreeEnsembleClassifier", "ai.onnx.ml", {"x": GAPS}, attributes, ("y", "z")))


@pytest.mark.parametrize("aggregate", ["SUM", "AVERAGE", "MIN", "MAX"])
@pytest.mark.parametrize(("targets", "ids"), [(1, (0,)), (3, (0, 2))])
def test_trees_that_regress(aggregate: str, targets: int, ids: tuple[int, ...]) -> None:
    attributes = forest("target", ids) | {"n_targets": targets, "aggregate_function": aggregate}
    assert_agree(*both("TreeEnsembleRegressor", "ai.onnx.ml", {"x": GAPS}, attributes))


@pytest.mark.parametrize(("classes", "base"), [(1, (0.5, 1.0)), (3, (0.5,)), (2, (0.5, 1.0, 2.0))])
def test_base_values_of_another_number_are_refused(classes: int, base: tuple[float, ...]) -> None:
    with pytest.raises(ShapeError, match=f"{len(base)} base values are given for {classes}"):
        tree_ensemble_regressor(const(X), n_targets=classes, base_values=base, **forest("target", (0,)))
    labels = list(range(classes))
    with pytest.raises(ShapeError, match=f"{len(base)} base values are given for {classes}"):
        tree_ensemble_classifier(
            const(X), classlabels_int64s=labels, base_values=base, **forest("class", (0,))
        )


@pytest.mark.parametrize("transform", TRANSFORMS)
@pytest.mark.parametrize(("rows", "labels"), [(3, 3), (2, 2), (1, 2)])
def test_linear_classifiers(transform: str, rows: int, labels: int) -> None:
    attributes = {
        "coefficients": RNG.standard_normal(rows * 5).tolist(),
        "intercepts": RNG.standard_normal(rows).tolist(),
        "classlabels_ints": list(range(5, 5 + labels)),
        "post_transform": transform,
    }
    assert_agree(*both("LinearClassifier", "ai.onnx.ml", {"x": X}, attributes, ("y", "z")))


@pytest.mark.parametrize("transform", ["LOGISTIC", "SOFTMAX"])
@pytest.mark.parametrize(("rows", "labels", "surplus"), [(3, 3, 3), (3, 3, 6), (1, 2, 3), (2, 2, 4)])
def test_coefficients_beyond_the_features_have_no_use(
    transform: str, rows: int, labels: int, surplus: int
) -> None:
    attributes = {
        "coefficients": RNG.standard_normal(rows * 5 + surplus).tolist(),
        "intercepts": RNG.standard_normal(rows).tolist(),
        "classlabels_ints": list(range(labels)),
        "post_transform": transform,
    }
    assert_agree(*both("LinearClassifier", "ai.onnx.ml", {"x": X}, attributes, ("y", "z")))


@pytest.mark.parametrize(("targets", "surplus"), [(1, 0), (1, 4), (2, 1), (3, 15)])
def test_a_regressor_takes_a_coefficient_for_each_feature(targets: int, surplus: int) -> None:
    attributes = {
        "coefficients": RNG.standard_normal(targets * 5 + surplus).tolist(),
        "intercepts": RNG.standard_normal(targets).tolist(),
        "targets": targets,
    }
    assert_agree(*both("LinearRegressor", "ai.onnx.ml", {"x": X}, attributes))


@pytest.mark.parametrize(
    ("coefficients", "intercepts", "targets"), [(4, 1, 1), (14, 3, 3), (5, 2, 1), (10, 3, 2)]
)
def test_regressors_that_contradict_themselves(coefficients: int, intercepts: int, targets: int) -> None:
    with pytest.raises(ShapeError, match="do not fit|need more than"):
        linear_regressor(
            const(X), coefficients=[1.0] * coefficients, intercepts=[0.0] * intercepts, targets=targets
        )


@pytest.mark.parametrize(("coefficients", "intercepts"), [(12, 3), (16, 3), (20, 4), (10, 2)])
def test_classifiers_that_contradict_themselves(coefficients: int, intercepts: int) -> None:
    with pytest.raises(ShapeError, match="do not fit|need more than"):
        linear_classifier(
            const(X),
            coefficients=[1.0] * coefficients,
            intercepts=[0.0] * intercepts,
            classlabels_ints=range(3),
        )


@pytest.mark.parametrize("kernel", ["LINEAR", "POLY", "RBF", "SIGMOID"])
@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("calibrated", [False, True])
def test_machines_that_classify(kernel: str, classes: int, calibrated: bool) -> None:
    counts, pairs = [3, 2, 4][:classes], classes * (classes - 1) // 2
    attributes: dict[str, Any] = {
        "classlabels_ints": list(range(classes)),
        "coefficients": RNG.standard_normal((classes - 1) * sum(counts)).tolist(),
        "kernel_params": [0.3, 0.1, 3.0],
        "kernel_type": kernel,
        "rho": RNG.standard_normal(pairs).tolist(),
        "support_vectors": RNG.standard_normal(sum(counts) * 5).tolist(),
        "vectors_per_class": counts,
    }
    if calibrated:
        attributes |= {
            "prob_a": (-1 - RNG.random(pairs)).tolist(),
            "prob_b": RNG.standard_normal(pairs).tolist(),
        }
    assert_agree(*both("SVMClassifier", "ai.onnx.ml", {"x": X}, attributes, ("y", "z")))


@pytest.mark.parametrize("one_class", [0, 1])
def test_machines_that_regress(one_class: int) -> None:
    attributes = {
        "coefficients": RNG.standard_normal(6).tolist(),
        "kernel_params": [0.3, 0.1, 3.0],
        "kernel_type": "RBF",
        "n_supports": 6,
        "one_class": one_class,
        "rho": [0.2],
        "support_vectors": RNG.standard_normal(30).tolist(),
    }
    assert_agree(*both("SVMRegressor", "ai.onnx.ml", {"x": X}, attributes))


TEXT = np.array(["a", "c", "b"], dtype=object)
SMALL: tuple[tuple[str, dict[str, Array], dict[str, Any]], ...] = (
    ("Scaler", {"x": X}, {"offset": [1.0, 2, 3, 4, 5], "scale": [2.0] * 5}),
    ("Scaler", {"x": np.arange(10).reshape(2, 5)}, {"offset": [1.0], "scale": [2.0]}),
    ("Binarizer", {"x": X}, {"threshold": 0.3}),
    (
        "Imputer",
        {"x": GAPS},
        {"imputed_value_floats": [1.0, 2, 3, 4, 5], "replaced_value_float": float("nan")},
    ),
    ("Normalizer", {"x": X}, {"norm": "MAX"}),
    ("Normalizer", {"x": X}, {"norm": "L1"}),
    ("Normalizer", {"x": X}, {"norm": "L2"}),
    ("ArrayFeatureExtractor", {"x": X, "i": np.array([3, 1])}, {}),
    ("FeatureVectorizer", {"x": X, "z": X[:, :2]}, {"inputdimensions": [5, 2]}),
    ("OneHotEncoder", {"x": np.array([[1, 2], [3, 9]])}, {"cats_int64s": [1, 2, 3]}),
    ("OneHotEncoder", {"x": TEXT}, {"cats_strings": ["a", "b"]}),
    ("LabelEncoder", {"x": TEXT}, {"keys_strings": ["a", "b"], "values_int64s": [1, 2]}),
    ("CategoryMapper", {"x": TEXT}, {"cats_strings": ["a", "b"], "cats_int64s": [1, 2]}),
    ("CategoryMapper", {"x": TEXT}, {"cats_strings": ["a", "b", "a"], "cats_int64s": [1, 2, 1]}),
    ("CategoryMapper", {"x": np.array([1, 2])}, {"cats_strings": ["a", "b", "c"], "cats_int64s": [1, 2, 1]}),
    ("LabelEncoder", {"x": TEXT}, {"keys_strings": ["a", "b", "a"], "values_int64s": [1, 2, 3]}),
    ("OneHotEncoder", {"x": np.array([1, 2])}, {"cats_int64s": [1, 2, 1]}),
    ("OneHotEncoder", {"x": TEXT}, {"cats_strings": ["a", "b", "a"]}),
    ("ZipMap", {"x": X[:, :3]}, {"classlabels_strings": ["a", "b", "c"]}),
    ("LinearRegressor", {"x": X}, {"coefficients": [0.5] * 10, "intercepts": [1.0, 2.0], "targets": 2}),
)


@pytest.mark.parametrize(("op", "feeds", "attributes"), SMALL, ids=[f"{c[0]} {c[2]}"[:50] for c in SMALL])
def test_small(op: str, feeds: dict[str, Array], attributes: dict[str, Any]) -> None:
    assert_agree(*both(op, "ai.onnx.ml", feeds, attributes))


WORDS, NUMBERS = np.array(["a", "b"], object), np.array([1, 2])
DEFAULTS: tuple[dict[str, Any], ...] = (
    *({"values_tensor": NUMBERS.astype(d)} for d in ("int16", "int64", "float32", "float64")),
    {"values_tensor": WORDS[::-1]},
    {"values_tensor": NUMBERS, "default_int64": 9},
    {"values_tensor": NUMBERS.astype("float32"), "default_float": 4.0},
    {"values_tensor": WORDS[::-1], "default_string": "other"},
    {"values_tensor": NUMBERS, "default_int64": 9, "default_tensor": np.array([5])},
    {"values_int64s": [1, 2], "default_int64": 9, "default_tensor": np.array([5])},
)


@pytest.mark.parametrize("attributes", DEFAULTS, ids=lambda a: " ".join(f"{k} {v}" for k, v in a.items()))
def test_labels_of_other_texts(attributes: dict[str, Any]) -> None:
    attributes = {"keys_tensor": WORDS} | attributes
    tensors = {k: numpy_helper.from_array(v) for k, v in attributes.items() if isinstance(v, np.ndarray)}
    ours, theirs = both("LabelEncoder", "ai.onnx.ml", {"x": TEXT}, attributes | tensors)
    assert_agree(ours, theirs)
    for got, expected in zip(ours, theirs, strict=True):
        assert got.dtype == expected.dtype
        assert list(map(str, got)) == list(map(str, expected)), "zeros have signs"


@pytest.mark.parametrize(
    ("op", "attributes"),
    [
        ("LabelEncoder", {"keys_strings": ["a", "b"], "values_int64s": [1, 2, 2]}),
        ("LabelEncoder", {"keys_strings": ["a", "b"]}),
        ("LabelEncoder", {"keys_tensor": WORDS, "values_tensor": NUMBERS[:1]}),
        ("LabelEncoder", {"keys_tensor": WORDS, "values_tensor": NUMBERS, "default_tensor": WORDS[:1]}),
        ("CategoryMapper", {"cats_strings": ["a", "b"], "cats_int64s": [1]}),
    ],
)
@pytest.mark.parametrize("x", [TEXT, np.array([1, 2])], ids=["texts", "numbers"])
def test_keys_without_values_are_refused(op: str, attributes: dict[str, Any], x: Array) -> None:
    encode = {"LabelEncoder": label_encoder, "CategoryMapper": category_mapper}[op]
    with pytest.raises(ShapeError, match="each key needs one|the default is of object"):
        encode(const(x), **attributes)


def test_two_classes_scored_by_all_leaves_are_ranked() -> None:
    """Here onnxruntime names the second class whenever its score is above 0; the definition ranks."""
    attributes = forest("class", (0, 1), positive=True) | {"classlabels_int64s": [0, 1]}
    (labels, scores), _ = both("TreeEnsembleClassifier", "ai.onnx.ml", {"x": X}, attributes, ("y", "z"))
    np.testing.assert_array_equal(labels, scores.argmax(1))


@pytest.mark.parametrize("aggregate", ["SUM", "AVERAGE", "MIN", "MAX"])
@pytest.mark.parametrize("targets", [1, 2])
def test_leaves_that_name_a_target_again(aggregate: str, targets: int) -> None:
    attributes = forest("target", (0, 0, 0)) | {"n_targets": targets, "aggregate_function": aggregate}
    assert_agree(*both("TreeEnsembleRegressor", "ai.onnx.ml", {"x": GAPS}, attributes))


@pytest.mark.parametrize("labels", [(7,), (0, -1, 2), ("it's", 'a "b"\\n\n{x}', "très"), (3, 3)])
def test_maps_of_any_labels(labels: tuple[int | str, ...]) -> None:
    scores = RNG.standard_normal((4, len(labels))).astype(np.float32)
    maps = zip_map(scores, labels=labels)
    assert maps == [dict(zip(labels, row, strict=True)) for row in scores.tolist()]
    with pytest.raises(ValueError, match="unpack"):
        zip_map(scores[:, 1:], labels=labels)


def test_a_tree_ensemble_has_as_many_of_everything_as_nodes() -> None:
    columns = {f"nodes_{kind}": [0, 1] for kind in ("featureids", "falseleafs", "trueleafs")}
    columns |= {f"nodes_{kind}": [0, 1] for kind in ("truenodeids", "falsenodeids")}
    splits, modes = np.array([0.5, 0.5], np.float32), np.zeros(2, np.uint8)
    leaves = {"leaf_targetids": [0, 0], "leaf_weights": np.ones(2, np.float32), "tree_roots": [0]}
    whole = {**columns, **leaves, "nodes_splits": splits, "nodes_modes": modes}
    for name in (*columns, "nodes_splits", "nodes_missing_value_tracks_true"):
        given: Any = {**whole, name: [0, 0, 0]}
        with pytest.raises(ShapeError, match="not every attribute of nodes"):
            tree_ensemble(placeholder("x", dt.F32, (3, 2)), **given)
