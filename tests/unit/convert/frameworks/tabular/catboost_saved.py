"""What CatBoost saves as JSON, written by hand, and what such trees come to by its own rules."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
NANS = ("AsIs", "AsTrue", "AsFalse")


def split(column: int, border: float) -> dict[str, Any]:
    """As it stands in a tree."""
    return {"border": border, "float_feature_index": column, "split_type": "FloatFeature"}


def symmetric(splits: Sequence[tuple[int, float]], leaves: Array) -> dict[str, Any]:
    """A tree with the same split all over a level, and `leaves` [2 ** levels, outputs]."""
    return {"leaf_values": leaves.ravel().tolist(), "splits": [split(*pair) for pair in splits]}


def described(
    trees: Sequence[dict[str, Any]], outputs: int = 1, scale: float = 1, **facts: Any
) -> dict[str, Any]:
    """A model of three columns that stand behind one another, with missing values each in another way."""
    columns = [{"flat_feature_index": at, "nan_value_treatment": kind} for at, kind in enumerate(NANS)]
    kind = "oblivious_trees" if "leaf_values" in trees[0] else "trees"
    bias = [0.25 * at for at in range(outputs)]
    return {
        "features_info": {"float_features": columns},
        "model_info": facts,
        "scale_and_bias": [scale, bias],
        kind: list(trees),
    }


def scores(saved: dict[str, Any], rows: Array) -> Array:
    """[batch, outputs] float64: the scaled sum of the leaves that rows come to, and the bias."""
    scale, bias = saved["scale_and_bias"]
    found = np.tile(np.array(bias, np.float64), (len(rows), 1))
    for at, row in enumerate(rows):
        for tree in saved.get("oblivious_trees", ()):
            place = sum(_passes(part, row) << bit for bit, part in enumerate(tree["splits"]))
            found[at] += scale * np.reshape(tree["leaf_values"], (-1, len(bias)))[place]
        for node in saved.get("trees", ()):
            while "split" in node:
                node = node["right"] if _passes(node["split"], row) else node["left"]
            found[at] += scale * np.array(node["value"])
    return found


def _passes(part: dict[str, Any], row: Array) -> bool:
    value = row[part["float_feature_index"]]
    if np.isnan(value):
        return NANS[part["float_feature_index"]] == "AsTrue"
    return bool(value > part["border"])
