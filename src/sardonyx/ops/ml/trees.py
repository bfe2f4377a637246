"""Tree ensembles of ai.onnx.ml: several ways to write nodes down, one `trees` primitive for all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from sardonyx.base import dtype as dt
from sardonyx.errors import ShapeError
from sardonyx.ir.value import Value, concat, const
from sardonyx.ops.ml.classify import Labels, binary_scores, transformed
from sardonyx.ops.ml.forest import Forest, Ints, Nodes, Strings, entries_of, grown, plain, with_leaves
from sardonyx.ops.table import op

Array = np.ndarray[Any, Any]
Floats = Sequence[float] | Array
DOMAIN = "ai.onnx.ml"


def _numbers(given: Floats, tensor: Array | None) -> Array:
    return np.asarray(given, np.float32) if tensor is None else np.asarray(tensor).reshape(-1)


def _base(given: Floats, tensor: Array | None, *sizes: int) -> Array:
    """What is added to the totals. Raises ShapeError unless there are none or one of `sizes` numbers."""
    base = _numbers(given, tensor)
    if base.size not in (0, *sizes):
        raise ShapeError(f"{base.size} base values are given for {sizes[0]} targets or classes")
    return base


@op("TreeEnsembleRegressor", domain=DOMAIN)
def tree_ensemble_regressor(
    x: Value,
    *,
    aggregate_function: str = "SUM",
    base_values: Floats = (),
    base_values_as_tensor: Array | None = None,
    n_targets: int = 1,
    nodes_falsenodeids: Ints = (),
    nodes_featureids: Ints = (),
    nodes_hitrates: Floats = (),
    nodes_hitrates_as_tensor: Array | None = None,
    nodes_missing_value_tracks_true: Ints = (),
    nodes_modes: Strings = (),
    nodes_nodeids: Ints = (),
    nodes_treeids: Ints = (),
    nodes_truenodeids: Ints = (),
    nodes_values: Floats = (),
    nodes_values_as_tensor: Array | None = None,
    post_transform: str = "NONE",
    target_ids: Ints = (),
    target_nodeids: Ints = (),
    target_treeids: Ints = (),
    target_weights: Floats = (),
    target_weights_as_tensor: Array | None = None,
) -> Value:
    """The combined weights of the leaves that x reaches, for each target."""
    nodes = Nodes.of(
        *(nodes_treeids, nodes_nodeids, nodes_featureids, nodes_modes),
        _numbers(nodes_values, nodes_values_as_tensor),
        *(nodes_missing_value_tracks_true, nodes_truenodeids, nodes_falsenodeids),
    )
    weights = _numbers(target_weights, target_weights_as_tensor)
    leaves = entries_of(target_treeids, target_nodeids, target_ids, weights)
    forest = grown(nodes, leaves, weights, n_targets)
    base = _base(base_values, base_values_as_tensor, n_targets)
    y = _regress(x, forest, n_targets, aggregate_function)
    if base.size:
        y = y + const(base.astype(y.dtype.numpy)).reshape((1, base.size))
    return transformed(y, post_transform).cast(dt.F32)


def _regress(x: Value, forest: Forest, targets: int, aggregate: str) -> Value:
    combine = {"SUM": "sum", "AVERAGE": "sum", "MIN": "min", "MAX": "max"}[aggregate]
    total, _ = forest.totals(x, targets, combine)
    return total / float(len(forest.roots)) if aggregate == "AVERAGE" else total


@op("TreeEnsembleClassifier", domain=DOMAIN)
def tree_ensemble_classifier(
    x: Value,
    *,
    base_values: Floats = (),
    base_values_as_tensor: Array | None = None,
    class_ids: Ints = (),
    class_nodeids: Ints = (),
    class_treeids: Ints = (),
    class_weights: Floats = (),
    class_weights_as_tensor: Array | None = None,
    classlabels_int64s: Ints = (),
    classlabels_strings: Strings = (),
    nodes_falsenodeids: Ints = (),
    nodes_featureids: Ints = (),
    nodes_hitrates: Floats = (),
    nodes_hitrates_as_tensor: Array | None = None,
    nodes_missing_value_tracks_true: Ints = (),
    nodes_modes: Strings = (),
    nodes_nodeids: Ints = (),
    nodes_treeids: Ints = (),
    nodes_truenodeids: Ints = (),
    nodes_values: Floats = (),
    nodes_values_as_tensor: Array | None = None,
    post_transform: str = "NONE",
) -> tuple[Value, Value]:
    """The label of the greatest sum of leaf weights, and the scores of all classes."""
    nodes = Nodes.of(
        *(nodes_treeids, nodes_nodeids, nodes_featureids, nodes_modes),
        _numbers(nodes_values, nodes_values_as_tensor),
        *(nodes_missing_value_tracks_true, nodes_truenodeids, nodes_falsenodeids),
    )
    weights = _numbers(class_weights, class_weights_as_tensor)
    leaves = entries_of(class_treeids, class_nodeids, class_ids, weights)
    labels = Labels.of(plain(classlabels_int64s), plain(classlabels_strings))
    classes = max(len(labels.names), 1)
    forest = grown(nodes, leaves, weights, classes)
    total, touched = forest.totals(x, classes, "sum")
    allowed = (2, 1) if classes == 2 else (classes,)
    base = _base(base_values, base_values_as_tensor, *allowed).astype(total.dtype.numpy)
    if classes == 2 and leaves[2].size and np.ptp(leaves[2]) == 0 and base.size < 2:
        return _one_class(total, labels, int(leaves[2][0]), base, bool(np.all(weights >= 0)), post_transform)
    if base.size:
        shifted = total + const(np.broadcast_to(base, (1, classes)).copy())
        return labels.best(shifted), transformed(shifted, post_transform).cast(dt.F32)
    ranked = touched.where(total, float("-inf"))
    return labels.best(ranked), transformed(total, post_transform).cast(dt.F32)


def _one_class(
    total: Value, labels: Labels, number: int, base: Array, positive: bool, transform: str
) -> tuple[Value, Value]:
    """Two classes whose trees score only one; the other's score is derived, as onnxruntime does it."""
    score = total.slice((0, number), (total.shape[0], 1))
    if base.size and number == 0:
        score = score + float(base[0])
    chosen = const(np.asarray(0.5 if positive else 0.0, total.dtype.numpy)).lt(score)
    if number == 0:
        scores = binary_scores(score, transform, complement=positive)
    else:
        scores = transformed(concat([score * 0.0, score], 1), transform)
    return labels.either(chosen.reshape((total.shape[0],))), scores.cast(dt.F32)


@op("TreeEnsemble", since=5, domain=DOMAIN)
def tree_ensemble(
    x: Value,
    *,
    leaf_targetids: Ints,
    leaf_weights: Array,
    nodes_falseleafs: Ints,
    nodes_falsenodeids: Ints,
    nodes_featureids: Ints,
    nodes_modes: Array,
    nodes_splits: Array,
    nodes_trueleafs: Ints,
    nodes_truenodeids: Ints,
    tree_roots: Ints,
    aggregate_function: int = 1,
    membership_values: Array | None = None,
    n_targets: int = 1,
    nodes_hitrates: Array | None = None,
    nodes_missing_value_tracks_true: Ints = (),
    post_transform: int = 0,
) -> Value:
    """The combined weights of the leaves that x reaches, for each target."""
    count = len(nodes_modes)
    weights = np.asarray(leaf_weights).reshape(-1)
    columns: list[Any] = [nodes_featureids, nodes_splits, nodes_trueleafs, nodes_falseleafs]
    columns += [nodes_truenodeids, nodes_falsenodeids]
    if len(nodes_missing_value_tracks_true):
        columns.append(nodes_missing_value_tracks_true)
    if any(len(column) != count for column in columns):
        raise ShapeError(f"{count} nodes have modes, but not every attribute of nodes has as many elements")
    forest = with_leaves(
        (
            *(np.asarray(nodes_featureids), np.asarray(nodes_modes), np.asarray(nodes_splits)),
            np.asarray(nodes_missing_value_tracks_true, bool)
            if len(nodes_missing_value_tracks_true)
            else np.zeros(count, bool),
            *(np.asarray(nodes_truenodeids), np.asarray(nodes_falsenodeids)),
        ),
        (nodes_trueleafs, nodes_falseleafs),
        tree_roots,
        (np.asarray(leaf_targetids, np.int64), weights),
        np.asarray(membership_values).reshape(-1) if membership_values is not None else np.zeros(0),
    )
    names = ("AVERAGE", "SUM", "MIN", "MAX")
    y = _regress(x, forest, n_targets, names[aggregate_function])
    kinds = ("NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO", "PROBIT")
    return transformed(y, kinds[post_transform]).cast(x.dtype)
