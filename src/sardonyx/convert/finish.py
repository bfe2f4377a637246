"""Makes a raw export a good ONNX file: no weights among the inputs, current opset, simpler, named, checked.

Knows ONNX and no framework; whether the result still predicts the same is decided in `parity.py`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import onnx
from google.protobuf.message import DecodeError

from sardonyx.convert.framework import ConvertError, Exported
from sardonyx.frontend.inference import at_opset, inferred
from sardonyx.frontend.simplified import simplified

OPSET = 21
STANDARD = {"", "ai.onnx", "ai.onnx.ml", "ai.onnx.preview.training", "com.microsoft"}
TRACES = ("pkg.torch.onnx.stack_trace",)
LARGE_BYTES = 1 << 31


def finished(
    exported: Exported, opset: int | None, metadata: Mapping[str, Any]
) -> tuple[onnx.ModelProto, list[str]]:
    """The model of a raw file, and what could not be done. ConvertError if it is not a valid model."""
    model = opened(exported.path)
    refuse_strange(model)
    notes: list[str] = []
    weights_are_no_inputs(model)
    _probabilities_are_tensors(model)
    if exported.batch:
        _name_batch(model)
    model = upgraded(model, opset or OPSET, notes)
    model = _simplified(model, notes)
    _name_outputs(model, exported.outputs)
    _name_axes(model, exported.axes)
    model = _inferred(model)
    _describe(model, metadata)
    _check(model)
    return model, notes


def opened(path: Path) -> onnx.ModelProto:
    """The model of a file with its external data; ConvertError if the file is not a model."""
    try:
        model: onnx.ModelProto = onnx.load(path)
    except (DecodeError, OSError, ValueError) as error:
        raise ConvertError(f"{path} is not a whole ONNX model: {error}") from error
    if not model.HasField("graph"):
        raise ConvertError(f"{path} is not an ONNX model: it has no graph")
    return model


def refuse_strange(model: onnx.ModelProto) -> None:
    """Name operators that no engine knows, and where in the user's code they come from."""
    own = {function.domain for function in model.functions}
    for node in nodes(model.graph):
        if node.domain not in STANDARD | own:
            raise ConvertError(
                f"the export contains {node.domain}.{node.op_type} (node {node.name or '?'}), an operator "
                f"that ONNX does not have{_origin(node)}; replace that layer, write it with standard ones, "
                "or give it a meaning with @sardonyx.op"
            )


def _origin(node: onnx.NodeProto) -> str:
    for row in node.metadata_props:
        if row.key in TRACES:
            lines = [line.strip() for line in row.value.strip().splitlines() if line.strip()]
            return f", from {' / '.join(lines[-2:])}"
    return f" ({node.doc_string.strip().splitlines()[0]})" if node.doc_string.strip() else ""


def nodes(graph: onnx.GraphProto) -> Iterator[onnx.NodeProto]:
    """All nodes, those of bodies included."""
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            for body in (attribute.g, *attribute.graphs):
                yield from nodes(body)


def weights_are_no_inputs(model: onnx.ModelProto) -> None:
    """Old exporters list weights among the inputs, as if a caller were to feed them."""
    weights = {tensor.name for tensor in model.graph.initializer}
    kept = [value for value in model.graph.input if value.name not in weights]
    if len(kept) < len(model.graph.input):
        del model.graph.input[:]
        model.graph.input.extend(kept)
        model.ir_version = max(model.ir_version, 4)


def _probabilities_are_tensors(model: onnx.ModelProto) -> None:
    """An output that is a list of maps from class to probability becomes the tensor behind it."""
    made = {node.output[0]: node for node in model.graph.node if node.op_type == "ZipMap"}
    for value in model.graph.output:
        zipped = made.get(value.name)
        if zipped is None:
            continue
        value.CopyFrom(
            onnx.helper.make_tensor_value_info(zipped.input[0], onnx.TensorProto.FLOAT, [None, None])
        )
        model.graph.node.remove(zipped)


def upgraded(model: onnx.ModelProto, opset: int, notes: list[str]) -> onnx.ModelProto:
    """The model at an opset if it is older; a note says why it stays where it cannot be."""
    now = next((row.version for row in model.opset_import if row.domain in ("", "ai.onnx")), opset)
    if now >= opset:
        return model
    try:
        newer = at_opset(model, opset)
        onnx.checker.check_model(newer)
    except Exception as error:
        notes.append(f"stays at opset {now}: ONNX's version converter says {_first_line(error)}")
        return model
    return newer


def _simplified(model: onnx.ModelProto, notes: list[str]) -> onnx.ModelProto:
    simpler = onnx.ModelProto()
    simpler.CopyFrom(model)
    try:
        simpler = simplified(simpler)
        onnx.checker.check_model(simpler)
    except Exception as error:
        notes.append(f"not simplified: {_first_line(error)}")
        return model
    return simpler


def _name_outputs(model: onnx.ModelProto, names: tuple[str, ...]) -> None:
    taken = {name for node in nodes(model.graph) for name in (*node.input, *node.output)}
    taken |= {value.name for value in (*model.graph.input, *model.graph.initializer)}
    for value, name in zip(model.graph.output, names, strict=False):
        if value.name == name or name in taken:
            continue
        for node in nodes(model.graph):
            for names_of in (node.input, node.output):
                for at, old in enumerate(names_of):
                    if old == value.name:
                        names_of[at] = name
        value.name = name
        taken.add(name)


def _name_batch(model: onnx.ModelProto) -> None:
    for value in (*model.graph.input, *model.graph.output):
        shape = value.type.tensor_type.shape
        if value.type.HasField("tensor_type") and shape.dim and not shape.dim[0].HasField("dim_value"):
            shape.dim[0].dim_param = shape.dim[0].dim_param or "batch"


def _name_axes(model: onnx.ModelProto, axes: Mapping[str, Mapping[int, str]]) -> None:
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


def fix_sizes(model: onnx.ModelProto, feeds: Mapping[str, Any]) -> None:
    """Give inputs the sizes of these feeds, and forget what was said of other sizes."""
    for value in model.graph.input:
        shape = value.type.tensor_type.shape
        for size, fixed in zip(shape.dim, feeds[value.name].shape, strict=True):
            size.dim_value = fixed
    for value in model.graph.output:
        for size in value.type.tensor_type.shape.dim:
            if size.HasField("dim_param"):
                size.Clear()
    del model.graph.value_info[:]
    model.CopyFrom(_inferred(model))


def _inferred(model: onnx.ModelProto) -> onnx.ModelProto:
    if model.ByteSize() > LARGE_BYTES // 2:
        return model
    try:
        return inferred(model, data_prop=True)
    except Exception:  # the model is as good without; the checker says whether it is valid
        return model


def _describe(model: onnx.ModelProto, metadata: Mapping[str, Any]) -> None:
    known = {row.key: row for row in model.metadata_props}
    for key, value in metadata.items():
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True)
        if key in known:
            known[key].value = text
        else:
            model.metadata_props.add(key=key, value=text)


def _check(model: onnx.ModelProto) -> None:
    if model.ByteSize() > LARGE_BYTES // 2:
        return
    try:
        onnx.checker.check_model(model)
    except onnx.checker.ValidationError as error:
        raise ConvertError(f"the export is not a valid ONNX model: {_first_line(error)}") from error


def _first_line(error: Exception) -> str:
    text = str(error).strip()
    return text.splitlines()[0] if text else type(error).__name__
