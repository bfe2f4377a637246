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

from sardonyx.convert.axes import name_axes, name_batch, name_nameless, name_output_axes
from sardonyx.convert.framework import ConvertError, Exported
from sardonyx.convert.upgrade import first_line, upgraded
from sardonyx.frontend.inference import inferred
from sardonyx.frontend.mistaken import START_BYTES, unparsed
from sardonyx.frontend.names import readable
from sardonyx.frontend.simplified import simplified
from sardonyx.frontend.summary import why_unread

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
    probabilities_are_tensors(model)
    if exported.batch:
        name_batch(model)
    name_nameless(model, exported.axes)
    model = upgraded(model, opset or OPSET, notes)
    model = _simplified(model, notes)
    _name_outputs(model, exported.outputs)
    name_axes(model, exported.axes)
    model = with_shapes(model)
    name_output_axes(model, exported.cases)
    _describe(model, metadata)
    _check(model)
    return model, notes


def opened(path: Path) -> onnx.ModelProto:
    """The model of a file with its external data; ConvertError if the file is not a model."""
    try:
        model = readable(onnx.load(path))
    except (DecodeError, RecursionError) as error:
        with path.open("rb") as file:
            why = unparsed(file.read(START_BYTES), error)
        raise ConvertError(f"{path} is not a whole ONNX model: {why}") from error
    except (OSError, ValueError, onnx.checker.ValidationError) as error:
        raise ConvertError(f"{path} is not a whole ONNX model: {why_unread(path, error)}") from error
    if not model.HasField("graph"):
        raise ConvertError(f"{path} is not an ONNX model: it has no graph")
    return model


def refuse_strange(model: onnx.ModelProto) -> None:
    """Name operators that no engine knows, and where in the user's code they come from."""
    known = STANDARD | {function.domain for function in model.functions}
    strange = [node for node in nodes(model.graph) if node.domain not in known]
    if not strange:
        return
    node = strange[0]
    others = sorted({f"{other.domain}.{other.op_type} (node {other.name or '?'})" for other in strange[1:]})
    more = f" (so are {', '.join(others[:8])}{', ...' if len(others) > 8 else ''})" if others else ""
    raise ConvertError(
        f"the export contains {node.domain}.{node.op_type} (node {node.name or '?'}), an operator "
        f"that ONNX does not have{_origin(node)}{more}; replace that layer or write it with standard ones. "
        "An ONNX file that holds it runs without being converted once the operator has a meaning: "
        f"@sardonyx.op({node.op_type!r}, domain={node.domain!r})"
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
    del model.graph.input[:]
    model.graph.input.extend(kept)
    if weights:
        model.ir_version = max(model.ir_version, 4)


def probabilities_are_tensors(model: onnx.ModelProto) -> None:
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


def _simplified(model: onnx.ModelProto, notes: list[str]) -> onnx.ModelProto:
    simpler = onnx.ModelProto()
    simpler.CopyFrom(model)
    try:
        simpler = simplified(simpler)
        onnx.checker.check_model(simpler)
    except Exception as error:
        notes.append(f"not simplified: {first_line(error)}")
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


def with_shapes(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model with the shapes that ONNX infers; as it is if it is large or strange."""
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
        raise ConvertError(f"the export is not a valid ONNX model: {first_line(error)}") from error
