"""From a fitted estimator to the bytes of its ONNX model, by the converter of its framework."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator
from typing import Any

import onnxmltools
import skl2onnx
from onnxmltools.convert.common import data_types as boosting_types
from skl2onnx.common import data_types, tree_ensemble
from sklearn.base import clone, is_classifier
from sklearn.pipeline import Pipeline
from sklearn.svm import LinearSVC
from threadpoolctl import threadpool_limits

from sardonyx.convert.frameworks.tabular import sklearn_voting
from tests.frameworks.data import Table
from tests.frameworks.row import Row

OPSET = 21


def fitted(row: Row, table: Table) -> Any:
    """The estimator after it has learned the rows of its data."""
    with warnings.catch_warnings(), threadpool_limits(1):
        warnings.simplefilter("ignore")
        return clone(row.estimator).fit(_rows(row.estimator, table.train), table.goal, **row.fit)


def told(row: Row, model: Any, table: Table) -> list[Any]:
    """What the estimator itself says of the test rows, one entry for each output."""
    rows = _rows(row.estimator, table.test)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return [getattr(model, ask)(rows) if isinstance(ask, str) else ask(model, rows) for ask in row.tells]


def _rows(estimator: Any, rows: Any) -> Any:
    """Readers of texts take a list instead of a column."""
    first = estimator.steps[0][1] if isinstance(estimator, Pipeline) else estimator
    return rows[:, 0] if hasattr(first, "analyzer") else rows


def converted(row: Row, model: Any, table: Table) -> bytes:
    """The ONNX model."""
    family = type(model).__module__.split(".")[0]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        types = [
            (name, _type(feed, family)) for name, feed in table.feeds(table.test[:1], row.numbers).items()
        ]
        if family == "sklearn":
            options = dict(row.options)
            if is_classifier(model) and not isinstance(model, LinearSVC):
                options.setdefault("zipmap", False)
            with _whole_numbers(), sklearn_voting.registered():
                proto = skl2onnx.convert_sklearn(
                    model,
                    initial_types=types,
                    options={id(model): options},
                    target_opset={"": OPSET, "ai.onnx.ml": 3},
                )
        elif family == "lightgbm":
            proto = onnxmltools.convert_lightgbm(
                model, initial_types=types, target_opset=15, **{"zipmap": False, **row.options}
            )
        else:
            proto = onnxmltools.convert_xgboost(model, initial_types=types, target_opset=15)
    data: bytes = proto.SerializeToString()
    return data


@contextlib.contextmanager
def _whole_numbers() -> Iterator[None]:
    """Let skl2onnx 1.20 write where missing values go as numbers: protobuf takes no truth values for them."""
    original = tree_ensemble.add_node

    def add_node(*args: Any, nodes_missing_value_tracks_true: Any = 0, **told: Any) -> None:
        original(*args, nodes_missing_value_tracks_true=int(nodes_missing_value_tracks_true), **told)

    tree_ensemble.add_node = add_node
    try:
        yield
    finally:
        tree_ensemble.add_node = original


def _type(feed: Any, family: str) -> Any:
    types = data_types if family == "sklearn" else boosting_types
    names = {"f4": "FloatTensorType", "f8": "DoubleTensorType", "i8": "Int64TensorType"}
    kind = getattr(types, names.get(feed.dtype.str[1:], "StringTensorType"))
    return kind([None, feed.shape[1]])
