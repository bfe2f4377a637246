"""Tree ensembles of ai.onnx.ml: several ways to write nodes down, one `trees` primitive for all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from sardonyx.base import dtype as dt
from sardonyx.errors import ShapeError, UnsupportedOp
from sardonyx.ir.algorithms.trees import LEAF
from sardonyx.ir.value import Value, concat, const, many
from sardonyx.ops.ml.classify import Labels, binary_scores, transformed
from sardonyx.ops.table import op

Array = np.ndarray[Any, Any]
Ints = Sequence[int]
Floats = Sequence[float]
Strings = Sequence[str]
DOMAIN = "ai.onnx.ml"
_MODES = ("BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT", "BRANCH_EQ", "BRANCH_NEQ", "LEAF")
_EQ, _MEMBER = 4, 6


@dataclass(slots=True)
class Forest:
    """The nodes of all trees as columns, grown one by one."""

    feature: list[int] = field(default_factory=list)
    mode: list[int] = field(default_factory=list)
    threshold: list[float] = field(default_factory=list)
    missing: list[bool] = field(default_factory=list)
    yes: list[int] = field(default_factory=list)
    no: list[int] = field(default_factory=list)
    roots: list[int] = field(default_factory=list)
    target: list[int] = field(default_factory=list)
    weight: list[float] = field(default_factory=list)

    def add(self, feature: int, mode: int, threshold: float, missing: bool, yes: int, no: int) -> int:
        """A new node; its number."""
        self.feature.append(feature)
        self.mode.append(mode)
        self.threshold.append(threshold)
        self.missing.append(missing)
        self.yes.append(yes)
        self.no.append(no)
        return len(self.mode) - 1

    def add_leaf(self, entries: Sequence[tuple[int, float]]) -> int:
        """A new leaf with (target, weight) entries; its number."""
        start = len(self.target)
        self.target += [t for t, _ in entries]
        self.weight += [w for _, w in entries]
        return self.add(0, LEAF, 0.0, False, start, len(entries))

    def totals(self, x: Value, targets: int, combine: str, weights: np.dtype[Any]) -> tuple[Value, Value]:
        """The combined weights of the leaves reached [N, targets], and which targets they name."""
        rows = x.reshape((1, x.size)) if x.rank == 1 else x
        wide = rows.cast(dt.F64 if x.dtype is dt.F64 else dt.F32)
        columns: tuple[tuple[Sequence[Any], Any], ...] = (
            (self.feature, np.int32),
            (self.mode, np.uint8),
            (self.threshold, wide.dtype.numpy),
            (self.missing, np.bool_),
            (self.yes, np.int32),
            (self.no, np.int32),
            (self.roots, np.int32),
            (self.target, np.int32),
            (self.weight, weights),
        )
        args = (wide, *(const(np.asarray(data, dtype)) for data, dtype in columns))
        shape = (rows.shape[0], targets)
        kinds = [(args[-1].dtype, shape), (dt.BOOL, shape)]
        total, touched = many("trees", args, {"targets": targets, "combine": combine}, kinds)
        return total, touched


def _numbers(given: Floats, tensor: Array | None) -> Array:
    return np.asarray(given, np.float32) if tensor is None else np.asarray(tensor).reshape(-1)


def _base(given: Floats, tensor: Array | None, *sizes: int) -> Array:
    """What is added to the totals. Raises ShapeError unless there are none or one of `sizes` numbers."""
    base = _numbers(given, tensor)
    if base.size not in (0, *sizes):
        raise ShapeError(f"{base.size} base values are given for {sizes[0]} targets or classes")
    return base


def _grow(
    nodes: dict[str, Sequence[Any]],
    leaves: dict[str, Sequence[Any]],
    thresholds: Array,
    weights: Array,
    targets: int,
) -> Forest:
    """The forest of node and leaf columns keyed by (tree, node), as opsets 1 to 3 write them.

    With one target the first entry of a leaf counts alone, as in onnxruntime: converters repeat it.
    """
    forest = Forest()
    keys = list(zip(nodes["tree"], nodes["node"], strict=True))
    number = {key: i for i, key in enumerate(keys)}
    entries: dict[tuple[int, int], list[tuple[int, float]]] = {}
    for key, target, weight in zip(
        zip(leaves["tree"], leaves["node"], strict=True), leaves["id"], weights.tolist(), strict=True
    ):
        entries.setdefault(key, []).append((int(target), weight))
    missing = nodes["missing"] or [0] * len(keys)
    children: set[int] = set()
    for i, (tree, node) in enumerate(keys):
        mode = _mode(nodes["mode"][i])
        if mode == LEAF:
            told = entries.get((tree, node), [])
            forest.add_leaf(told[:1] if targets == 1 else told)
            continue
        yes, no = (number.get((tree, nodes[side][i]), -1) for side in ("yes", "no"))
        if min(yes, no) < 0:
            raise ShapeError(f"node {node} of tree {tree} has a child that is not in the tree")
        children |= {yes, no}
        forest.add(int(nodes["feature"][i]), mode, float(thresholds[i]), bool(missing[i]), yes, no)
    forest.roots = [i for i in range(len(keys)) if i not in children]
    return forest


def _mode(name: str) -> int:
    if name not in _MODES:
        raise UnsupportedOp(f"the node mode {name!r} is not supported")
    return _MODES.index(name)


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
    nodes = {
        "tree": nodes_treeids,
        "node": nodes_nodeids,
        "feature": nodes_featureids,
        "mode": nodes_modes,
        "missing": nodes_missing_value_tracks_true,
        "yes": nodes_truenodeids,
        "no": nodes_falsenodeids,
    }
    leaves = {"tree": target_treeids, "node": target_nodeids, "id": target_ids}
    weights = _numbers(target_weights, target_weights_as_tensor)
    forest = _grow(nodes, leaves, _numbers(nodes_values, nodes_values_as_tensor), weights, n_targets)
    base = _base(base_values, base_values_as_tensor, n_targets)
    y = _regress(x, forest, n_targets, aggregate_function, weights.dtype)
    if base.size:
        y = y + const(base.astype(y.dtype.numpy)).reshape((1, base.size))
    return transformed(y, post_transform).cast(dt.F32)


def _regress(x: Value, forest: Forest, targets: int, aggregate: str, weights: np.dtype[Any]) -> Value:
    combine = {"SUM": "sum", "AVERAGE": "sum", "MIN": "min", "MAX": "max"}[aggregate]
    total, _ = forest.totals(x, targets, combine, weights)
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
    nodes = {
        "tree": nodes_treeids,
        "node": nodes_nodeids,
        "feature": nodes_featureids,
        "mode": nodes_modes,
        "missing": nodes_missing_value_tracks_true,
        "yes": nodes_truenodeids,
        "no": nodes_falsenodeids,
    }
    leaves = {"tree": class_treeids, "node": class_nodeids, "id": class_ids}
    weights = _numbers(class_weights, class_weights_as_tensor)
    labels = Labels.of(classlabels_int64s, classlabels_strings)
    classes = max(len(labels.names), 1)
    forest = _grow(nodes, leaves, _numbers(nodes_values, nodes_values_as_tensor), weights, classes)
    total, touched = forest.totals(x, classes, "sum", weights.dtype)
    allowed = (2, 1) if classes == 2 else (classes,)
    base = _base(base_values, base_values_as_tensor, *allowed).astype(total.dtype.numpy)
    if classes == 2 and len(set(class_ids)) == 1 and base.size < 2:
        return _one_class(total, labels, int(class_ids[0]), base, bool(np.all(weights >= 0)), post_transform)
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
    forest = Forest()
    count = len(nodes_modes)
    sets = _sets(np.asarray(membership_values).reshape(-1) if membership_values is not None else np.zeros(0))
    missing = [bool(m) for m in nodes_missing_value_tracks_true] or [False] * count
    for i in range(count):
        mode = int(nodes_modes[i])
        yes = nodes_truenodeids[i] + (count if nodes_trueleafs[i] else 0)
        no = nodes_falsenodeids[i] + (count if nodes_falseleafs[i] else 0)
        if mode == _MEMBER:
            mode = _EQ
        forest.add(nodes_featureids[i], mode, float(nodes_splits[i]), missing[i], yes, no)
    for target, weight in zip(leaf_targetids, np.asarray(leaf_weights).reshape(-1).tolist(), strict=True):
        forest.add_leaf([(target, weight)])
    for i in range(count):
        if int(nodes_modes[i]) == _MEMBER:
            _ask_members(forest, i, next(sets))
    forest.roots = list(tree_roots)
    names = ("AVERAGE", "SUM", "MIN", "MAX")
    y = _regress(x, forest, n_targets, names[aggregate_function], np.asarray(leaf_weights).dtype)
    kinds = ("NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO", "PROBIT")
    return transformed(y, kinds[post_transform]).cast(x.dtype)


def _sets(values: Array) -> Any:
    """The sets of numbers that NaNs separate, one after another."""
    ends = np.flatnonzero(np.isnan(values))
    starts = [0, *(ends + 1)]
    return iter([values[a:b].tolist() for a, b in zip(starts, ends, strict=False)])


def _ask_members(forest: Forest, node: int, members: Sequence[float]) -> None:
    """Turn a node into a chain that asks for one member of a set after another."""
    yes, no = forest.yes[node], forest.no[node]
    for k, member in enumerate(members):
        forest.threshold[node] = member
        if k + 1 < len(members):
            forest.no[node] = forest.add(forest.feature[node], _EQ, 0.0, forest.missing[node], yes, no)
            node = forest.no[node]
    if not members:
        forest.threshold[node] = float("nan")
