"""Calls of ai.onnx.ml's operators, beside onnxruntime."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from tests.property.operators.draw import WORDS, Array, Draw, kind_of
from tests.property.operators.judges import formula, peer
from tests.property.operators.recipe import Call, Fed, recipe

ML = "ai.onnx.ml"


def rows(d: Draw, width: int | None = None) -> Array:
    """A few rows of features, small numbers with halves among them."""
    count = d.one_of(1, 2, 3, 17, 33)
    shape = (count, width or d.integer(1, 5))
    return (d.within(shape, -6, 6, np.int64) / 2).astype(d.element)


@recipe("ArrayFeatureExtractor", domain=ML, types="f32 f64 i64 i32 string")
def array_feature_extractor(d: Draw) -> Call:
    x = d.array(d.shape(1, 3, 1, 5), specials="none")
    index = d.within((d.integer(1, 4),), 0, x.shape[-1] - 1, np.int64)
    index = d.one_of(index, index.reshape(1, -1))

    def judge(x: Array, index: Array) -> Array:
        y = x[..., index.reshape(-1)]
        return y.reshape(1, -1) if x.ndim == 1 else y

    return Call([x, index], judge=formula(judge, exact=True))


@recipe("Binarizer", domain=ML, types="f32 f64 i64 i32")
def binarizer(d: Draw) -> Call:
    x, threshold = d.array(d.shape(1, 3), specials="none"), d.one_of(0.0, 0.5, -1.0)
    return Call([x], judge=formula(lambda x: (x > threshold).astype(x.dtype)), threshold=threshold)


@recipe("Imputer", domain=ML, types="f32 i64")
def imputer(d: Draw) -> Call:
    x = rows(d)
    kind = "float" if d.element == np.float32 else "int64"
    bad: Any = d.one_of(2.0, float("nan")) if kind == "float" else 2
    if bad != bad:
        x[d.array(x.shape, np.bool_)] = np.nan
    values = [float(n) if kind == "float" else n for n in range(7, 7 + d.one_of(1, x.shape[1]))]
    attributes = {f"imputed_value_{kind}s": values, f"replaced_value_{kind}": bad}
    return Call([x], judge=peer, **attributes)


@recipe("Normalizer", domain=ML, types="f32 f64 i64 i32")
def normalizer(d: Draw) -> Call:
    x, norm = rows(d), d.one_of("MAX", "L1", "L2")
    if d.flag():
        x = x[0]
    x = np.where(x == 0, np.asarray(1, x.dtype), x)
    if norm == "MAX":
        x = np.abs(x)
    return Call([x], 1, peer, x.shape[-1], norm=norm)


@recipe("Scaler", domain=ML, types="f32 f64 i64 i32")
def scaler(d: Draw) -> Call:
    x = rows(d)
    count = d.one_of(1, x.shape[1])
    numbers = [[d.integer(-8, 8) / 4 for _ in range(count)] for _ in "so"]
    return Call([x], 1, peer, 2, zeros=False, scale=numbers[0], offset=numbers[1])


@recipe("FeatureVectorizer", domain=ML, types="f32 f64 i64 i32")
def feature_vectorizer(d: Draw) -> Call:
    count, parts = d.one_of(1, 2, 17), []
    widths = [d.integer(1, 4) for _ in range(d.integer(1, 3))]
    parts = [d.within((count, w), -3, 3) for w in widths]
    return Call(parts, judge=peer, inputdimensions=widths)


@recipe("OneHotEncoder", domain=ML, types="f32 i64 string")
def one_hot_encoder(d: Draw) -> Call:
    if kind_of(d.element) == "O":
        return Call([d.array(d.shape(1, 2))], judge=peer, cats_strings=["a", "ab", "", "the"], zeros=1)
    x = d.within(d.shape(1, 2), 0, 6)
    return Call([x], judge=peer, cats_int64s=[0, 3, 1, 5], zeros=1)


@recipe("CategoryMapper", domain=ML, types="i64 string")
def category_mapper(d: Draw) -> Call:
    x = d.array(d.shape(0, 2)) if kind_of(d.element) == "O" else d.within(d.shape(0, 2), 0, 6)
    cats: dict[str, Any] = {"cats_strings": ["a", "a\0", "", "the"], "cats_int64s": [0, 3, 1, 5]}
    return Call([x], judge=peer, default_string="?", default_int64=-7, **cats)


@recipe("LabelEncoder", domain=ML, opsets=(2, 4))
def label_encoder(d: Draw) -> Call:
    kinds = {"strings": ["a", "a\0", "", "the"], "int64s": [0, 3, 1, 5], "floats": [0.0, 2.5, -1.0, 3.0]}
    source = d.one_of("strings", "int64s", "floats")
    target = d.one_of(*(kind for kind in kinds if kind != source))
    shape = d.shape(0, 2)
    x = {
        "strings": d.array(shape, object),
        "int64s": d.within(shape, 0, 6, np.int64),
        "floats": np.asarray(d.within(shape, -2, 6, np.int64) / 2, np.float32),
    }[source]
    attributes: dict[str, Any] = {f"keys_{source}": kinds[source], f"values_{target}": kinds[target]}
    attributes |= {"default_string": "?", "default_int64": -7, "default_float": 9.5}
    return Call([x], judge=peer, **attributes)


def floats(d: Draw, count: int) -> list[float]:
    """Coefficients."""
    return [float(v) for v in d.within((count,), -2, 2, np.float32)]


@recipe("LinearRegressor", domain=ML, types="f32")
def linear_regressor(d: Draw) -> Call:
    x, targets = rows(d), d.integer(1, 3)
    numbers = {"coefficients": floats(d, targets * x.shape[1]), "intercepts": floats(d, targets)}
    return Call([x], 1, peer, x.shape[1] + 1, targets=targets, **numbers)


@recipe("LinearClassifier", domain=ML, types="f32 f64 i64 i32")
def linear_classifier(d: Draw) -> Call:
    x, classes = rows(d), d.integer(2, 4)
    ints, texts = [*range(3, 3 + classes)], list("abcd")[:classes]
    labels: dict[str, Any] = {"classlabels_ints": ints} if d.flag() else {"classlabels_strings": texts}
    numbers = {
        "coefficients": floats(d, classes * x.shape[1]),
        "intercepts": [v + 0.03 for v in floats(d, classes)],
    }
    transform = d.one_of("NONE", "LOGISTIC", "SOFTMAX", "SOFTMAX_ZERO")
    # The peer takes what is near 0 of a logistic function from 1.
    sizes = (x.shape[1] + 1) * np.abs(x[np.isfinite(x)].astype(np.float64)).max(initial=0) + 2
    return Call([x], 2, peer, x.shape[1] + 1, sizes, post_transform=transform, **labels, **numbers)


KERNELS = ("LINEAR", "POLY", "RBF", "SIGMOID")


@recipe("SVMRegressor", domain=ML, types="f32")
def svm_regressor(d: Draw) -> Call:
    x, count = rows(d), d.integer(1, 4)
    attributes: dict[str, Any] = {
        "kernel_type": d.one_of(*KERNELS),
        "kernel_params": [0.25, 0.5, 2.0],
        "support_vectors": floats(d, count * x.shape[1]),
        "coefficients": floats(d, count),
        "n_supports": count,
        "rho": floats(d, 1),
        "one_class": d.one_of(0, 1),
    }
    return Call([x], 1, peer, x.shape[1] * count, 40.0, **attributes)


@recipe("SVMClassifier", domain=ML, types="f32")
def svm_classifier(d: Draw) -> Call:
    x, classes = rows(d), d.integer(2, 3)
    per = [d.integer(1, 3) for _ in range(classes)]
    pairs = classes * (classes - 1) // 2
    attributes: dict[str, Any] = {
        "kernel_type": d.one_of(*KERNELS),
        "kernel_params": [0.25, 0.5, 2.0],
        "support_vectors": floats(d, sum(per) * x.shape[1]),
        "coefficients": floats(d, sum(per) * (classes - 1)),
        "vectors_per_class": per,
        "rho": floats(d, pairs),
        "classlabels_ints": list(range(classes)),
    }
    if d.flag():
        attributes |= {"prob_a": [-1.0] * pairs, "prob_b": [0.25] * pairs}
    return Call([x], 2, peer, x.shape[1] * sum(per), 40.0, **attributes)


MODES = ("BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT", "BRANCH_EQ", "BRANCH_NEQ")


def forest(d: Draw, features: int, leaf: str, targets: int) -> dict[str, Any]:
    """The lists of a few random trees whose leaves have weights."""
    random = d.random()
    modes = MODES[:1] if d.flag() else MODES
    nodes: dict[str, list[Any]] = {
        name: []
        for name in (
            *("treeids", "nodeids", "featureids", "values", "modes", "truenodeids", "falsenodeids"),
            "missing_value_tracks_true",
        )
    }
    leaves: dict[str, list[Any]] = {"treeids": [], "nodeids": [], "ids": [], "weights": []}
    for tree in range(d.integer(1, 4)):
        # onnxruntime overlooks trees that are one leaf.
        depth, todo, number = d.integer(1, 3), [(0, 0)], 1
        while todo:
            node, level = todo.pop()
            inner = level < depth and (level == 0 or random.random() < 0.8)
            below = (number, number + 1) if inner else (0, 0)
            row = (tree, node, int(random.integers(features)) if inner else 0)
            value = float(random.integers(-8, 8)) / 2 if inner else 0.0
            mode = str(random.choice(modes)) if inner else "LEAF"
            for name, entry in zip(nodes, (*row, value, mode, *below, int(random.integers(2))), strict=True):
                nodes[name].append(entry)
            if inner:
                todo += [(below[0], level + 1), (below[1], level + 1)]
                number += 2
            else:
                weight = float(np.float32(random.uniform(-2, 2)))
                entries = (tree, node, int(random.integers(targets)), weight)
                for name, entry in zip(leaves, entries, strict=True):
                    leaves[name].append(entry)
    found = {f"nodes_{name}": values for name, values in nodes.items()}
    return found | {f"{leaf}_{name}": values for name, values in leaves.items()}


def features(d: Draw) -> Array:
    """Rows for trees; some features are missing."""
    x = rows(d)
    if d.integer(0, 2) == 2:
        x[d.array(x.shape, np.bool_)] = np.nan
    return x


@recipe("TreeEnsembleRegressor", domain=ML, types="f32", opsets=(1, 3, 5))
def tree_ensemble_regressor(d: Draw) -> Call:
    x, targets = features(d), d.integer(1, 3)
    lists = forest(d, x.shape[1], "target", targets)
    attributes = {
        "n_targets": targets,
        "aggregate_function": d.one_of("SUM", "AVERAGE", "MIN", "MAX"),
        # onnxruntime forgets them for targets that no leaf of the row has.
        "base_values": d.maybe(floats(d, targets)) if targets == 1 else None,
    }
    return Call([x], 1, peer, 8, 10.0, **lists, **attributes)


@recipe("TreeEnsembleClassifier", domain=ML, types="f32", opsets=(1, 3, 5))
def tree_ensemble_classifier(d: Draw) -> Call:
    x, classes = features(d), d.integer(3, 4)
    lists = forest(d, x.shape[1], "class", classes)
    attributes = {
        "classlabels_int64s": list(range(classes)),
        "post_transform": d.one_of("NONE", "SOFTMAX", "LOGISTIC"),
        "base_values": d.maybe(floats(d, classes)),
    }
    return Call([x], 2, peer, 8, 10.0, **lists, **attributes)


@recipe("TreeEnsemble", domain=ML, types="f32")
def tree_ensemble(d: Draw) -> Call:
    x, targets = features(d), d.integer(1, 2)
    lists = forest(d, x.shape[1], "target", targets)
    inner, leaf = [m != "LEAF" for m in lists["nodes_modes"]], [m == "LEAF" for m in lists["nodes_modes"]]
    place = {}
    for kind in (inner, leaf):
        chosen = [n for n, wanted in enumerate(kind) if wanted]
        place |= {(lists["nodes_treeids"][n], lists["nodes_nodeids"][n]): at for at, n in enumerate(chosen)}
    attributes = _as_version_5(lists, inner, place)
    return Call([x], 1, peer, 8, 10.0, n_targets=targets, aggregate_function=d.one_of(1, 2, 3), **attributes)


def _as_version_5(lists: dict[str, Any], inner: list[bool], place: dict[Any, int]) -> dict[str, Any]:
    """The lists of inner nodes and leaves apart."""
    codes = {mode: np.uint8(n) for n, mode in enumerate(MODES)}
    chosen = [n for n, wanted in enumerate(inner) if wanted]
    found: dict[str, Any] = {
        "nodes_featureids": [lists["nodes_featureids"][n] for n in chosen],
        "nodes_missing_value_tracks_true": [lists["nodes_missing_value_tracks_true"][n] for n in chosen],
        "nodes_splits": tensor(np.array([lists["nodes_values"][n] for n in chosen], np.float32)),
        "nodes_modes": tensor(np.array([codes[lists["nodes_modes"][n]] for n in chosen], np.uint8)),
        "leaf_targetids": lists["target_ids"],
        "leaf_weights": tensor(np.array(lists["target_weights"], np.float32)),
    }
    is_leaf = {
        (t, n): not i for t, n, i in zip(lists["nodes_treeids"], lists["nodes_nodeids"], inner, strict=True)
    }
    for side in ("true", "false"):
        below = [(lists["nodes_treeids"][n], lists[f"nodes_{side}nodeids"][n]) for n in chosen]
        found[f"nodes_{side}nodeids"] = [place[b] for b in below]
        found[f"nodes_{side}leafs"] = [int(is_leaf[b]) for b in below]
    trees = sorted(set(lists["nodes_treeids"]))
    return found | {"tree_roots": [place[t, 0] for t in trees]}


def tensor(array: Array) -> onnx.TensorProto:
    """An attribute that is a tensor."""
    return numpy_helper.from_array(array, "t")


# ---- maps


def map_type(key: int, value: int) -> onnx.TypeProto:
    """The type of a map."""
    return helper.make_map_type_proto(key, helper.make_tensor_type_proto(value, []))


@recipe("DictVectorizer", domain=ML, types="f32")
def dict_vectorizer(d: Draw) -> Call:
    chosen = ["a", *(w for w in WORDS if w != "a" and d.flag())]
    values = {w: float(v) for w, v in zip(chosen, d.within((len(chosen),), -3, 3), strict=True)}
    given = Fed(values, map_type(onnx.TensorProto.STRING, onnx.TensorProto.FLOAT))
    return Call([given], judge=peer, string_vocabulary=["a", "the", "", "missing"])


@recipe("CastMap", domain=ML, types="f32")
def cast_map(d: Draw) -> Call:
    keys = sorted({d.integer(0, 9) for _ in range(d.integer(1, 5))})
    values = {k: float(v) for k, v in zip(keys, d.within((len(keys),), -3, 3), strict=True)}
    given = Fed(values, map_type(onnx.TensorProto.INT64, onnx.TensorProto.FLOAT))
    sparse = {"map_form": "SPARSE", "max_map": 12} if d.flag() else {}
    return Call([given], judge=peer, cast_to=d.one_of("TO_FLOAT", "TO_INT64"), **sparse)


@recipe("ZipMap", domain=ML, types="f32")
def zip_map(d: Draw) -> Call:
    width = d.integer(1, 4)
    x = d.within((d.integer(1, 3), width), -3, 3)
    ints, texts = [*range(width)], list("abcd")[:width]
    labels: dict[str, Any] = {"classlabels_int64s": ints} if d.flag() else {"classlabels_strings": texts}
    return Call([x], judge=peer, **labels)
