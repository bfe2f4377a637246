"""Free axes of a model's inputs and outputs: their names, and sizes where they are fixed after all.

Knows ONNX and no framework.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import onnx

from sardonyx.convert.framework import Case

Sizes = tuple[int, ...]


def name_batch(model: onnx.ModelProto) -> None:
    """Call the free first axes of inputs and outputs that have no name `batch`."""
    for value in (*model.graph.input, *model.graph.output):
        shape = value.type.tensor_type.shape
        if value.type.HasField("tensor_type") and shape.dim and not shape.dim[0].HasField("dim_value"):
            shape.dim[0].dim_param = shape.dim[0].dim_param or "batch"


def name_nameless(model: onnx.ModelProto, axes: Mapping[str, Mapping[int, str]]) -> None:
    """Name free axes of inputs that the exporter gave none, before inference invents names for outputs."""
    for value in model.graph.input:
        shape = value.type.tensor_type.shape
        for axis, name in axes.get(value.name, {}).items():
            if axis < len(shape.dim) and not shape.dim[axis].HasField("dim_value"):
                shape.dim[axis].dim_param = shape.dim[axis].dim_param or name


def name_axes(model: onnx.ModelProto, axes: Mapping[str, Mapping[int, str]]) -> None:
    """Give free axes of inputs the names they were meant to have, wherever the exporter's stand."""
    renamed: dict[str, str] = {}
    for value in model.graph.input:
        shape = value.type.tensor_type.shape
        for axis, name in axes.get(value.name, {}).items():
            if axis < len(shape.dim) and shape.dim[axis].dim_param:
                renamed[shape.dim[axis].dim_param] = name
    for value in (*model.graph.input, *model.graph.output, *model.graph.value_info):
        for size in value.type.tensor_type.shape.dim:
            if size.dim_param in renamed:
                size.dim_param = renamed[size.dim_param]


def name_output_axes(model: onnx.ModelProto, cases: Sequence[Case]) -> None:
    """Give free axes of outputs the name of the only one of the inputs that they vary with."""
    inputs: dict[Sizes, set[str]] = {}
    for value in model.graph.input:
        if any(value.name not in case.feeds for case in cases):
            continue
        for axis, size in enumerate(value.type.tensor_type.shape.dim):
            sizes = _sizes([case.feeds[value.name].shape for case in cases], axis)
            if size.dim_param and sizes:
                inputs.setdefault(sizes, set()).add(size.dim_param)
    own = {size.dim_param for value in model.graph.input for size in value.type.tensor_type.shape.dim} - {""}
    for at, value in enumerate(model.graph.output):
        shape = value.type.tensor_type.shape
        shapes = [case.answers[at].shape for case in cases if at < len(case.answers)]
        if any(len(given) != len(shape.dim) for given in shapes):
            continue
        for axis, size in enumerate(shape.dim):
            is_nameless = not size.HasField("dim_value") and size.dim_param not in own
            names = inputs.get(_sizes(shapes, axis), set())
            if is_nameless and len(names) == 1:
                size.dim_param = next(iter(names))


def _sizes(shapes: Iterable[Sizes], axis: int) -> Sizes:
    """The sizes of an axis case by case; nothing if it is always the same."""
    sizes = tuple(shape[axis] for shape in shapes)
    return sizes if len(set(sizes)) > 1 else ()


def fix_sizes(model: onnx.ModelProto, feeds: Mapping[str, Any], only: Collection[int] | None = None) -> None:
    """Give inputs the sizes of these feeds, all or `only` those axes; forget what was said of other sizes."""
    for value in model.graph.input:
        shape = value.type.tensor_type.shape
        for axis, (size, fixed) in enumerate(zip(shape.dim, feeds[value.name].shape, strict=True)):
            if only is None or axis in only:
                size.dim_value = fixed
    for value in model.graph.output:
        for size in value.type.tensor_type.shape.dim:
            if size.HasField("dim_param"):
                size.Clear()
    del model.graph.value_info[:]
