"""One-hot encoders that take rare categories together: a converter for skl2onnx.

Its own answers none of the columns where a category was never seen, though scikit-learn counts it among the
rare ones, and refuses a single column.
"""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from onnx import TensorProto

from sardonyx.authoring import GraphWriter
from sardonyx.convert.frameworks.tabular.sklearn_boosting import enter

RARE_IF_UNKNOWN = ("infrequent_if_exist", "warn")


@contextlib.contextmanager
def registered() -> Iterator[None]:
    """While this lasts, skl2onnx converts them right."""
    from skl2onnx import _supported_operators as known
    from skl2onnx import update_registered_converter
    from skl2onnx.common._registration import get_converter, get_shape_calculator
    from sklearn.preprocessing import OneHotEncoder

    names, before = known.sklearn_operator_name_map, known.sklearn_operator_name_map[OneHotEncoder]
    update_registered_converter(
        OneHotEncoder,
        "SardonyxOneHotEncoder",
        get_shape_calculator(before),
        _converter(get_converter(before)),
        overwrite=True,
    )
    try:
        yield
    finally:
        names[OneHotEncoder] = before


def _converter(original: Any) -> Any:
    def convert(scope: Any, operator: Any, container: Any) -> None:
        model = operator.raw_operator
        rare = getattr(model, "infrequent_categories_", ()) if model._infrequent_enabled else ()
        if any(some is not None for some in rare) and model.drop_idx_ is None:
            graph = GraphWriter()
            names = _write(graph, model, operator.inputs)
            enter(graph, {**names, "y": operator.outputs[0].full_name}, scope, container)
            return
        operator.raw_operator = copy.copy(model)
        if model.handle_unknown in RARE_IF_UNKNOWN:
            operator.raw_operator.handle_unknown = "ignore"
        original(scope, operator, container)
        operator.raw_operator = model

    return convert


def _write(graph: GraphWriter, model: Any, inputs: Sequence[Any]) -> dict[str, str]:
    """The nodes to `y`; the names of the inputs in the graph and outside."""
    from skl2onnx.common.data_types import StringTensorType

    names: dict[str, str] = {}
    parts: list[str] = []
    for value in inputs:
        name = f"x{len(names)}"
        names[name] = value.full_name
        is_text = isinstance(value.type, StringTensorType)
        column = name if is_text else graph.node("Cast", [name], to=TensorProto.INT64)
        width = value.type.shape[1]
        for at in range(width):
            one = (
                graph.node("Gather", [column, graph.unnamed(np.array([at]))], axis=1) if width > 1 else column
            )
            parts.append(_column(graph, model, len(parts), one, is_text))
    whole = graph.node("Concat", parts, axis=1) if len(parts) > 1 else parts[0]
    kind = TensorProto.INT64 if np.issubdtype(model.dtype, np.signedinteger) else TensorProto.FLOAT
    graph.node("Cast", [whole], "y", to=kind)
    return names


def _column(graph: GraphWriter, model: Any, at: int, name: str, is_text: bool) -> str:
    """Ones for a column [batch, 1]: [batch, categories], rare ones and those never seen in the last place."""
    rare = model.infrequent_categories_[at]
    rare = [] if rare is None else list(rare)
    often = [value for value in model.categories_[at] if value not in rare]
    kind, key = (str, "cats_strings") if is_text else (int, "cats_int64s")
    known_values = (*often, *rare)
    if not is_text and not all(float(value).is_integer() for value in known_values):
        told = ", ".join(map(str, known_values))
        raise ValueError(f"categories are texts or whole numbers as ONNX has them, but these are {told}")
    cats = {key: [kind(value) for value in known_values]}
    wide = graph.node("OneHotEncoder", [name], domain="ai.onnx.ml", zeros=1, **cats)
    ones = graph.node("Squeeze", [wide, graph.unnamed(np.array([1]))])
    if not rare:
        return ones
    second = graph.unnamed(np.array([1]))
    middle = graph.unnamed(np.array([len(often)]))
    first, last = graph.unnamed(np.array([0])), graph.unnamed(np.array([len(often) + len(rare)]))
    known = graph.node("Slice", [ones, first, middle, second])
    others = graph.node("Slice", [ones, middle, last, second])
    if model.handle_unknown in RARE_IF_UNKNOWN:
        seen = graph.node("ReduceSum", [known, second], keepdims=1)
        alone = graph.node("Sub", [graph.unnamed(np.float32(1)), seen])
    else:
        alone = graph.node("ReduceSum", [others, second], keepdims=1)
    return graph.node("Concat", [known, alone], axis=1)
