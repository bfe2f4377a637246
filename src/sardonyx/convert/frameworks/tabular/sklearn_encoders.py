"""Encoders of categories, one-hot, ordinal and by target, and bins of numbers: converters for skl2onnx.

Its own cut fractions off numbers, read float64 as float32, know no missing category, answer none of the
columns where a category was never seen though scikit-learn counts it among the rare ones, refuse a single
column, and compare with edges of bins in float32. A category that scikit-learn would refuse is answered with
NaN: a number that says that there is none.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from onnx import TensorProto

from sardonyx.authoring import GraphWriter
from sardonyx.convert.framework import Array
from sardonyx.convert.frameworks.tabular.sklearn_boosting import enter, whole
from sardonyx.convert.frameworks.tabular.sklearn_replaced import Writer, written

RARE_IF_UNKNOWN = ("infrequent_if_exist", "warn")
Write = Callable[[GraphWriter, Any, int, str], str]
"""Writes the answer for column `at` from [batch, categories], which has a one for each row's category."""


def registered() -> contextlib.AbstractContextManager[None]:
    """While this lasts, skl2onnx converts them right."""
    from sklearn.preprocessing import KBinsDiscretizer, OneHotEncoder, OrdinalEncoder, TargetEncoder

    columns = ((OneHotEncoder, _one_hot), (OrdinalEncoder, _place), (TargetEncoder, _mean))
    writers = {kind: Writer(_shapes, _converter(write)) for kind, write in columns}
    return written({**writers, KBinsDiscretizer: Writer(_shapes_of_bins, _bins)})


def refusing(parts: Iterator[Any]) -> list[str]:
    """The encoders among these estimators that refuse categories they never saw."""
    found = {type(part).__name__ for part in parts if getattr(part, "handle_unknown", "") == "error"}
    return sorted(found & {"OneHotEncoder", "OrdinalEncoder"})


def _shapes(operator: Any) -> None:
    from skl2onnx.common import data_types

    model = operator.raw_operator
    kind = data_types.Int64TensorType if _is_whole(model) else data_types.FloatTensorType
    width = sum(map(len, _kept(model))) if hasattr(model, "drop_idx_") else _means(model)
    operator.outputs[0].type = kind([operator.inputs[0].get_first_dimension(), width])


def _is_whole(model: Any) -> bool:
    return np.issubdtype(getattr(model, "dtype", np.float64), np.integer)


def _converter(write: Write) -> Any:
    def convert(scope: Any, operator: Any, container: Any) -> None:
        graph, model = GraphWriter(), operator.raw_operator
        names: dict[str, str] = {}
        parts: list[str] = []
        for at, (column, is_text) in enumerate(_columns(graph, operator.inputs, names)):
            parts.append(write(graph, model, at, _ones(graph, model.categories_[at], column, is_text)))
        whole = graph.node("Concat", parts, axis=1) if len(parts) > 1 else parts[0]
        graph.node("Cast", [whole], "y", to=TensorProto.INT64 if _is_whole(model) else TensorProto.FLOAT)
        enter(graph, {**names, "y": operator.outputs[0].full_name}, scope, container)

    return convert


def _shapes_of_bins(operator: Any) -> None:
    from skl2onnx.common.data_types import FloatTensorType

    counts = operator.raw_operator.n_bins_
    width = len(counts) if operator.raw_operator.encode == "ordinal" else int(sum(counts))
    operator.outputs[0].type = FloatTensorType([operator.inputs[0].get_first_dimension(), width])


def _bins(scope: Any, operator: Any, container: Any) -> None:
    """How many inner edges of its column a number reaches, or a one at that place of the column's bins.

    Edges often are numbers of the data, which float32 may take to the other side.
    """
    graph, model = GraphWriter(), operator.raw_operator
    counts = [int(count) for count in model.n_bins_]
    width = max(counts)
    edges = np.full((len(counts), width), np.inf)
    for row, known in zip(edges, model.bin_edges_, strict=True):
        row[: len(known) - 2] = known[1:-1]
    given, names = whole(graph, operator, TensorProto.DOUBLE)
    last = graph.unnamed(np.array([2]))
    reached = graph.node("GreaterOrEqual", [graph.node("Unsqueeze", [given, last]), graph.unnamed(edges)])
    places = graph.node("ReduceSum", [graph.node("Cast", [reached], to=TensorProto.INT64), last], keepdims=0)
    if model.encode != "ordinal":
        at_place = graph.node(
            "Equal", [graph.node("Unsqueeze", [places, last]), graph.unnamed(np.arange(width))]
        )
        every = graph.node("Cast", [at_place], to=TensorProto.FLOAT)
        flat = graph.node("Reshape", [every, graph.unnamed(np.array([0, len(counts) * width]))])
        kept = [column * width + place for column, count in enumerate(counts) for place in range(count)]
        places = graph.node("Gather", [flat, graph.unnamed(np.array(kept, np.int64))], axis=1)
    graph.node("Cast", [places], "y", to=TensorProto.FLOAT)
    enter(graph, {**names, "y": operator.outputs[0].full_name}, scope, container)


def _columns(graph: GraphWriter, inputs: Sequence[Any], names: dict[str, str]) -> Iterator[tuple[str, bool]]:
    """Each column [batch, 1], texts, float32 or float64; `names` get those of the inputs outside."""
    from skl2onnx.common.data_types import FloatTensorType, StringTensorType

    for value in inputs:
        column = name = f"x{len(names)}"
        names[name] = value.full_name
        is_text = isinstance(value.type, StringTensorType)
        if not is_text and not isinstance(value.type, FloatTensorType):
            column = graph.node("Cast", [name], to=TensorProto.DOUBLE)
        width = value.type.shape[1]
        for at in range(width):
            place = graph.unnamed(np.array([at])) if width > 1 else ""
            yield graph.node("Gather", [column, place], axis=1) if place else column, is_text


def _ones(graph: GraphWriter, categories: Array, column: str, is_text: bool) -> str:
    """A one for each row's category, [batch, categories]; none for one that was never seen."""
    if not is_text:
        return _numbers(graph, [np.nan if value is None else float(value) for value in categories], column)
    texts = ["" if _is_missing(value) else str(value) for value in categories]
    if len(set(texts)) < len(texts):
        raise ValueError("the empty text and a missing one are two categories, which ONNX cannot tell apart")
    wide = graph.node("OneHotEncoder", [column], domain="ai.onnx.ml", zeros=1, cats_strings=texts)
    return graph.node("Squeeze", [wide, graph.unnamed(np.array([1]))])


def _numbers(graph: GraphWriter, values: list[float], column: str) -> str:
    """Where a column is one of these numbers; NaN is the last of them, if it is one."""
    finite = graph.unnamed(np.array([[value for value in values if not np.isnan(value)]]))
    parts = [graph.node("Equal", [column, graph.node("CastLike", [finite, column])])]
    if np.isnan(values).any():
        parts.append(graph.node("IsNaN", [column]))
    where = graph.node("Concat", parts, axis=1) if len(parts) > 1 else parts[0]
    return graph.node("Cast", [where], to=TensorProto.FLOAT)


def _is_missing(value: Any) -> bool:
    return value is None or bool(value != value)


def _seen(graph: GraphWriter, ones: str) -> str:
    """1 for rows of a known category, else 0: [batch, 1]."""
    return graph.node("ReduceSum", [ones, graph.unnamed(np.array([1]))], keepdims=1)


def _or_none(graph: GraphWriter, ones: str) -> str:
    """The ones and a last column, which is 1 for rows of no known category."""
    none = graph.node("Sub", [graph.unnamed(np.float32(1)), _seen(graph, ones)])
    return graph.node("Concat", [ones, none], axis=1)


def _one_hot(graph: GraphWriter, model: Any, at: int, ones: str) -> str:
    """Columns of rare categories together in the last one, the dropped one left out."""
    groups, kept = _groups(model, at), _kept(model)[at]
    count, width = len(groups), max(groups) + 1
    if width < count:
        matrix = np.zeros((count + 1, width), np.float32)
        matrix[np.arange(count), groups] = 1
        takes_unknown = model.handle_unknown in RARE_IF_UNKNOWN
        matrix[count, -1] = takes_unknown
        known = _or_none(graph, ones) if takes_unknown else ones
        weights = matrix[: count + takes_unknown, kept]
        answer = graph.node("MatMul", [known, graph.unnamed(weights)])
    elif len(kept) < width:
        answer = graph.node("Gather", [ones, graph.unnamed(np.array(kept, np.int64))], axis=1)
    else:
        answer = ones
    if model.handle_unknown != "error" or _is_whole(model):
        return answer
    is_known = graph.node("Cast", [_seen(graph, ones)], to=TensorProto.BOOL)
    return graph.node("Where", [is_known, answer, graph.unnamed(np.float32(np.nan))])


def _groups(model: Any, at: int) -> list[int]:
    """The column of each category before one is dropped: rare ones share the last."""
    mapping = model._default_to_infrequent_mappings[at] if model._infrequent_enabled else None
    return list(range(len(model.categories_[at]))) if mapping is None else [int(place) for place in mapping]


def _kept(model: Any) -> list[list[int]]:
    """The columns for each feature that are not dropped."""
    dropped = model._drop_idx_after_grouping
    counts = [max(_groups(model, at)) + 1 for at in range(len(model.categories_))]
    return [
        [place for place in range(count) if dropped is None or place != dropped[at]]
        for at, count in enumerate(counts)
    ]


def _place(graph: GraphWriter, model: Any, at: int, ones: str) -> str:
    """Ordinal: the number of each category, of rare ones the same."""
    categories = model.categories_[at]
    values = [float(place) for place in range(len(categories))]
    mapping = model._default_to_infrequent_mappings[at] if model._infrequent_enabled else None
    if mapping is not None:
        values[: len(mapping)] = [float(place) for place in mapping]
    if at in model._missing_indices:
        values[model._missing_indices[at]] = float(model.encoded_missing_value)
    none = -1 if _is_whole(model) else np.nan
    unknown = model.unknown_value if model.handle_unknown == "use_encoded_value" else none
    return _looked_up(graph, [[value] for value in (*values, float(unknown))], ones)


def _mean(graph: GraphWriter, model: Any, at: int, ones: str) -> str:
    """By target: the encodings of each category, class by class if there are several."""
    kinds = _means(model) // len(model.categories_)
    rows = np.stack(model.encodings_[at * kinds : (at + 1) * kinds], 1)
    unknown = np.broadcast_to(np.asarray(model.target_mean_, np.float64), (1, kinds))
    return _looked_up(graph, np.concatenate([rows, unknown]), ones)


def _means(model: Any) -> int:
    """How many columns it answers."""
    return len(getattr(model, "encodings_", model.categories_))


def _looked_up(graph: GraphWriter, table: Any, ones: str) -> str:
    """The row of the table for each row's category, the last one for none."""
    place = graph.node("ArgMax", [_or_none(graph, ones)], axis=1, keepdims=0)
    return graph.node("Gather", [graph.unnamed(np.asarray(table, np.float32)), place], axis=0)
