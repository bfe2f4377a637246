"""Reads an ONNX model into a graph; with the rest of this folder the only place that opens ONNX files.

Decides what a model's inputs, sizes and constants are. Must not know how graphs are compiled.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from google.protobuf.message import DecodeError

from sardonyx import ops
from sardonyx.base import dtype as dt
from sardonyx.base.dim import Dim
from sardonyx.base.knobs import CompileOptions
from sardonyx.base.report import FallbackNote
from sardonyx.base.signature import ModelMeta, TensorInfo
from sardonyx.errors import LoadError, ShapeError, UnsupportedOp
from sardonyx.frontend import types
from sardonyx.frontend.scope import Model, Scope, closed_graph, opsets_of
from sardonyx.frontend.tensors import TensorReader
from sardonyx.ir.graph import Graph
from sardonyx.ir.value import Value, collect_unknowns, const, placeholder

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True)
class Loaded:
    """A model as a graph and what it declares about itself.

    `initializers` are the inputs with a default value; they are constants of `graph` unless `load` was told
    that they will be fed, then they are its last inputs. `fallbacks` are the nodes that run through ONNX's
    reference evaluator.
    """

    graph: Graph
    inputs: tuple[TensorInfo, ...]
    outputs: tuple[TensorInfo, ...]
    initializers: tuple[TensorInfo, ...]
    metadata: ModelMeta
    opsets: Mapping[str, int]
    fallbacks: tuple[FallbackNote, ...]


def load(
    model: str | os.PathLike[str] | bytes | onnx.ModelProto,
    options: CompileOptions | None = None,
    fed: Collection[str] = (),
    known: Mapping[str, Array] | None = None,
) -> Loaded:
    """The graph of a model file, its bytes or its parsed form.

    `options` fixes free sizes, replaces initialisers and says where external data of bytes lies. `fed` names
    initialisers that become inputs. `known` gives the content of inputs that decide ranks or axes; they stay
    inputs of the graph, but nothing reads them.

    Raises:
        NeedsContent: ranks depend on inputs; load again with their content as `known`.
        LoadError: the file is damaged, contradictory, or not an ONNX model.
        UnsupportedOp: an operator has no meaning and no fallback.
        ShapeError: shapes or element types of the model contradict each other.
    """
    ops.register_all()
    options = options or CompileOptions()
    proto, folder = _open(model, options)
    if not proto.HasField("graph"):
        raise LoadError("No graph was found in the protobuf. Is this an ONNX model?", kind="empty")
    opsets = _opsets(proto)
    functions = {(_domain(f.domain), f.name, f.overload): f for f in proto.functions}
    shared = Model(functions, TensorReader(folder), allow_fallback=options.fallback != "error")
    scope = Scope(shared, opsets)
    with collect_unknowns() as unknowns:
        inputs, overridable = _inputs(proto.graph, scope, options, fed, known or {})
        scope.build(proto.graph.node)
        outputs = [(o, _output(o, scope)) for o in proto.graph.output]
    if not outputs:
        raise LoadError("the graph has no outputs")
    graph = closed_graph(tuple(v for _, v in inputs), tuple((o.name, v) for o, v in outputs), unknowns)
    return Loaded(
        graph,
        tuple(_input_info(i, options) for i, _ in inputs if i.name not in overridable),
        tuple(_output_info(o, v) for o, v in outputs),
        tuple(overridable.values()),
        _metadata(proto),
        opsets,
        tuple(shared.fallbacks),
    )


def _open(model: str | os.PathLike[str] | bytes | onnx.ModelProto, options: CompileOptions) -> tuple[onnx.ModelProto, Path]:
    folder = Path(options.external_folder or ".")
    if isinstance(model, onnx.ModelProto):
        return model, folder
    where = "the model"
    if not isinstance(model, bytes):
        path = Path(model)
        where, folder = str(path), path.parent
        try:
            model = path.read_bytes()
        except OSError as error:
            raise LoadError(f"{path} cannot be read: {error.strerror or error}") from error
    if model[4:8] == b"ORTM":
        raise LoadError(f"{where} is in the ORT format; give the ONNX file it was made from")
    try:
        return onnx.ModelProto.FromString(model), folder
    except (DecodeError, RecursionError) as error:
        raise LoadError(f"{where}: protobuf parsing failed: {error}", kind="protobuf") from error


def _domain(name: str) -> str:
    return "" if name == "ai.onnx" else name


def _opsets(proto: onnx.ModelProto) -> dict[str, int]:
    opsets = opsets_of(proto.opset_import)
    if not opsets and proto.ir_version < 3:
        opsets = {"": 1}
    newest = onnx.defs.onnx_opset_version()
    if not 0 < opsets.get("", 1) <= newest:
        raise LoadError(f"opset {opsets['']} of the domain ai.onnx is unknown; 1 to {newest} can be read")
    return opsets


def _inputs(
    graph: onnx.GraphProto, scope: Scope, options: CompileOptions, fed: Collection[str], known: Mapping[str, Array]
) -> tuple[list[tuple[onnx.ValueInfoProto, Value]], dict[str, TensorInfo]]:
    names = [i.name for i in graph.input]
    if len(set(names)) != len(names):
        raise LoadError("two graph inputs have the same name")
    initial = {t.name for t in graph.initializer} | {s.values.name for s in graph.sparse_initializer}
    if len(initial) != len(graph.initializer) + len(graph.sparse_initializer):
        raise LoadError("two initialisers have the same name")
    declared = {i.name: i for i in graph.input}
    overridable = {n: types.info(i) for n, i in declared.items() if n in initial}
    variable = [i for n, i in declared.items() if n not in initial] + [declared[n] for n in overridable if n in fed]
    inputs = [(i, _placeholder(i, options)) for i in variable]
    for info, value in inputs:
        if info.name in known:
            scope.define(info.name, const(np.array(known[info.name], value.dtype.numpy)))
            continue
        scope.define(info.name, value)
        if value.dtype.is_int:
            scope.model.askable.add(info.name)
    for name, array in options.initializers.items():
        scope.define(name, const(array))
    scope.initialise(graph, frozenset({i.name for i in variable} | options.initializers.keys()))
    return inputs, overridable


def _placeholder(proto: onnx.ValueInfoProto, options: CompileOptions) -> Value:
    def fix(name: str, denotation: str) -> int | None:
        return options.dims.get(name, options.denotations.get(denotation) if denotation else None)

    dtype = types.element_type(proto.type)
    if dtype is None:
        raise LoadError(f'the input "{proto.name}" has no element type')
    shape = types.sizes(proto, fix)
    if dtype is dt.OBJECT:
        tensor = types.tensor_of(proto.type)
        element = dt.by_onnx(tensor.elem_type) if tensor is not None and tensor.elem_type else dt.OBJECT
        attrs = {"name": proto.name, "type": types.type_string(proto.type)}
        return Value("input", (), attrs, dtype, (), None, ((element, shape or ()),))
    if shape is None:
        raise UnsupportedOp(f'the input "{proto.name}" declares no rank; give it a shape, sizes may be names')
    return placeholder(proto.name, dtype, shape)


def _input_info(proto: onnx.ValueInfoProto, options: CompileOptions) -> TensorInfo:
    """The declared input with the sizes that the options fix."""
    info = types.info(proto)
    if info.shape is None or not (options.dims or options.denotations):
        return info

    def fixed(size: int | str | None, denotation: str) -> int | str | None:
        named = options.denotations.get(denotation, size) if denotation else size
        return size if isinstance(size, int) else options.dims.get(size or "", named)

    sizes = zip(info.shape, proto.type.tensor_type.shape.dim, strict=True)
    return TensorInfo(info.name, info.type, tuple(fixed(size, dim.denotation) for size, dim in sizes))


def _output(proto: onnx.ValueInfoProto, scope: Scope) -> Value:
    value = scope.values.get(proto.name)
    if value is None:
        raise LoadError(f'the output "{proto.name}" has no value')
    declared = types.element_type(proto.type)
    if declared is not None and declared is not value.dtype:
        raise ShapeError(f'the output "{proto.name}" is declared as {declared} but is {value.dtype}')
    return value


def _output_info(proto: onnx.ValueInfoProto, value: Value) -> TensorInfo:
    info = types.info(proto)
    if value.dtype is dt.OBJECT:
        return info
    declared = info.shape if info.shape is not None and len(info.shape) == value.rank else (None,) * value.rank
    shape = tuple(_merged(d, n) for d, n in zip(declared, value.shape, strict=True))
    return TensorInfo(info.name, f"tensor({value.dtype.onnx_name})", shape)


def _merged(declared: int | str | None, size: Dim) -> int | str | None:
    return size if isinstance(size, int) else declared


def _metadata(proto: onnx.ModelProto) -> ModelMeta:
    return ModelMeta(
        proto.producer_name,
        proto.graph.name,
        proto.domain,
        proto.doc_string,
        proto.graph.doc_string,
        proto.model_version,
        {p.key: p.value for p in proto.metadata_props},
    )
