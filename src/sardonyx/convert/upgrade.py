"""Brings a model to a newer opset of ai.onnx by ONNX's version converter, free axes included.

Decides what is tried and how a model that cannot be brought there is told; must not know where it came from.
"""

from __future__ import annotations

from collections.abc import Iterator

import onnx
from onnx.numpy_helper import to_array

from sardonyx.frontend.inference import at_opset

STAND_INS = 1_000_003
"""The first number that stands for a free axis while a converter that wants numbers works."""


def upgraded(model: onnx.ModelProto, opset: int, notes: list[str]) -> onnx.ModelProto:
    """The model at an opset if it is older; a note says why it stays where it cannot be."""
    now = next((row.version for row in model.opset_import if row.domain in ("", "ai.onnx")), opset)
    if now >= opset:
        return model
    try:
        newer = _converted(model, opset)
    except Exception as error:
        try:
            newer = _with_numbers(model, opset)
        except Exception:  # what was said of the model as it is counts
            notes.append(f"stays at opset {now}: ONNX's version converter says {first_line(error)}")
            return model
    least = onnx.helper.find_min_ir_version_for(newer.opset_import, ignore_unknown=True)
    newer.ir_version = max(newer.ir_version, least)
    return newer


def first_line(error: Exception) -> str:
    """The first line of what an error says, or its kind."""
    text = str(error).strip()
    return text.splitlines()[0] if text else type(error).__name__


def _converted(model: onnx.ModelProto, opset: int) -> onnx.ModelProto:
    newer = at_opset(model, opset)
    onnx.checker.check_model(newer)
    return newer


def _with_numbers(model: onnx.ModelProto, opset: int) -> onnx.ModelProto:
    """The same by way of a model whose free axes are numbers of their own; ValueError if one stays."""
    fixed = onnx.ModelProto()
    fixed.CopyFrom(model)
    del fixed.graph.value_info[:]
    numbers: dict[str, int] = {}
    for value in (*fixed.graph.input, *fixed.graph.output):
        for at, size in enumerate(value.type.tensor_type.shape.dim):
            if not size.HasField("dim_value"):
                name = size.dim_param or f"{value.name} {at}"
                size.dim_value = numbers.setdefault(name, STAND_INS + len(numbers))
    newer = _converted(fixed, opset)
    del newer.graph.value_info[:]
    if any(number in numbers.values() for number in _integers(newer)):
        raise ValueError("a free axis became a constant")
    for old, new in (
        *zip(model.graph.input, newer.graph.input, strict=True),
        *zip(model.graph.output, newer.graph.output, strict=True),
    ):
        new.type.CopyFrom(old.type)
    return newer


def _integers(model: onnx.ModelProto) -> Iterator[int]:
    """What stands in the attributes and constants of the main graph."""
    tensors = [*model.graph.initializer]
    for node in model.graph.node:
        for attribute in node.attribute:
            yield from (attribute.i, *attribute.ints)
            tensors.append(attribute.t)
    for tensor in tensors:
        if tensor.data_type in (onnx.TensorProto.INT32, onnx.TensorProto.INT64):
            yield from map(int, to_array(tensor).flat)
