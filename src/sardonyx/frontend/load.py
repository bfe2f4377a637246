"""Reads an ONNX model into a graph; with the rest of this folder the only place that opens ONNX files.

Decides what a model's inputs, sizes and constants are. Must not know how graphs are compiled.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from google.protobuf.message import DecodeError

from sardonyx.base import dim as dims
from sardonyx.base import dtype as dt
from sardonyx.base.dataclass import dataclass, field, replace
from sardonyx.base.dim import Dim
from sardonyx.base.folders import folders_of
from sardonyx.base.knobs import CompileOptions
from sardonyx.base.report import FallbackNote
from sardonyx.base.signature import ModelMeta, TensorInfo
from sardonyx.errors import LoadError, NeedsContent, SardonyxError, ShapeError
from sardonyx.frontend import types
from sardonyx.frontend.messages import NEWEST_IR_VERSION, ModelProto, ValueInfoProto
from sardonyx.frontend.mistaken import START_BYTES, unparsed
from sardonyx.frontend.names import readable
from sardonyx.frontend.schemas import newest_installed, newest_opset
from sardonyx.frontend.scope import Found, Model, Scope, opsets_of
from sardonyx.frontend.tensors import TensorReader
from sardonyx.frontend.wire import Extracted, Taken, extract
from sardonyx.ir.data_size import collect_data_sizes
from sardonyx.ir.graph import Graph
from sardonyx.ir.premise import collect_premises
from sardonyx.ir.value import Value, begin_era, const, placeholder
from sardonyx.ops import elements
from sardonyx.ops.subgraph import closed_graph

if TYPE_CHECKING:
    import onnx

Array = np.ndarray[Any, Any]
_ASKABLE_SIZE = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """What a model declares about itself; `initializers` are the inputs with a default value."""

    inputs: tuple[TensorInfo, ...]
    outputs: tuple[TensorInfo, ...]
    initializers: tuple[TensorInfo, ...]
    metadata: ModelMeta
    opsets: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded(Signature):
    """A model as a graph.

    The initialisers are constants of `graph` unless they were named as `fed` to `load`, then they are its
    last inputs. `fallbacks` are the nodes that run through ONNX's reference evaluator, `operators` the
    operators of all nodes by name. `least_sizes` are least values of sizes, for `dims.assuming`.
    """

    graph: Graph
    fallbacks: tuple[FallbackNote, ...]
    operators: Mapping[str, str]
    least_sizes: Mapping[Dim, int]


@dataclass(frozen=True, slots=True)
class FeedFacts:
    """What is known of the feeds.

    Contents that decide ranks, shapes of inputs without a declared rank, free sizes that are at least 2,
    contents of `tensors` that nodes compute, and the least of all other free sizes.
    """

    contents: Mapping[str, Array] = field(default_factory=dict)
    shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    several: frozenset[str] = frozenset()
    tensors: Mapping[str, Array] = field(default_factory=dict)
    least: int = types.LEAST_SIZE


@dataclass(frozen=True, slots=True)
class Source:
    """A parsed model file, the folders of its external data (`base.folders`), what `wire` took out of it."""

    proto: ModelProto
    folders: tuple[Path, ...]
    taken: Mapping[bytes, Taken] = field(default_factory=dict)


Origin: TypeAlias = str | os.PathLike[str] | bytes | ModelProto | Source


def load(
    model: Origin,
    options: CompileOptions | None = None,
    fed: Collection[str] = (),
    facts: FeedFacts | None = None,
) -> Loaded:
    """The graph of a model file, its bytes or its parsed form.

    `options` fixes free sizes, replaces initialisers and says where external data of bytes lies. `fed` names
    initialisers that become inputs. Inputs whose content is among the `facts` stay inputs of the graph, but
    nothing reads them. With `options.outputs` nodes are read until these tensors are known. Free sizes are
    assumed not to be 0, unless the model fits nothing else.

    Raises:
        LoadError: the file is damaged, contradictory, or not an ONNX model.
        NeedsContent: ranks depend on what is fed; load again with more `known` or with free sizes fixed.
        UnsupportedOp: an operator is not supported and has no fallback.
        ShapeError: shapes or element types of the model contradict each other.
    """
    options, facts = options or CompileOptions(), facts or FeedFacts()
    source = open_model(model, options)
    try:
        return _loaded(source, options, fed, facts)
    except ShapeError as error:
        refusal = error
    try:
        return _loaded(source, options, fed, replace(facts, least=0))
    except SardonyxError:
        raise refusal from None


def _loaded(source: Source, options: CompileOptions, fed: Collection[str], facts: FeedFacts) -> Loaded:
    begin_era()
    proto = source.proto
    declared = signature(source, options)
    functions = {(_domain(f.domain), f.name, f.overload): f for f in proto.functions}
    shared = Model(
        functions,
        TensorReader(source.folders, source.taken),
        contents=facts.tensors,
        sought=dict.fromkeys(options.outputs),
        allow_fallback=options.fallback != "error",
    )
    shared.extent.of(proto.graph.node, functions)
    scope = Scope(shared, declared.opsets)
    made = {name for node in proto.graph.node for name in node.output}
    wanted = [name for name in options.outputs if name in made] or [o.name for o in proto.graph.output]
    with collect_data_sizes() as data_sizes, collect_premises() as noted, dims.assuming({}) as least_sizes:
        inputs = _inputs(proto.graph, scope, options, fed, facts)
        with suppress(Found):
            scope.build(proto.graph.node, wanted)
        outputs = _sought(shared) or [(o, _output(o, scope)) for o in proto.graph.output]
    names = {n for i in declared.inputs for n in i.shape or () if isinstance(n, str)}
    graph = closed_graph(inputs, tuple((o.name, v) for o, v in outputs), data_sizes, noted.values())
    return Loaded(
        inputs=declared.inputs,
        outputs=tuple(_output_info(o, v, names) for o, v in outputs),
        initializers=declared.initializers,
        metadata=declared.metadata,
        opsets=declared.opsets,
        graph=graph,
        fallbacks=tuple(dict.fromkeys(_left(shared.fallbacks, graph))),
        operators=shared.operators,
        least_sizes=least_sizes,
    )


def _left(fallbacks: Sequence[tuple[FallbackNote, bytes]], graph: Graph) -> Iterator[FallbackNote]:
    """Those whose nodes are still in the graph."""
    if fallbacks:
        from sardonyx.frontend import fallback

        left = set(fallback.nodes_of(graph))
        yield from (note for note, text in fallbacks if text in left)


def signature(model: Origin, options: CompileOptions | None = None) -> Signature:
    """What a model declares, without building its graph. Raises LoadError."""
    options = options or CompileOptions()
    proto = open_model(model, options).proto
    if not proto.HasField("graph"):
        raise LoadError("No graph was found in the protobuf. Is this an ONNX model?", kind="empty")
    if proto.ir_version > NEWEST_IR_VERSION:
        raise LoadError(
            f"Unsupported model IR version: {proto.ir_version}, "
            f"max supported IR version: {NEWEST_IR_VERSION}; "
            "install a newer onnx, or save the model in an older form"
        )
    if not proto.graph.output:
        raise LoadError("the graph has no outputs")
    if len({i.name for i in proto.graph.input}) != len(proto.graph.input):
        raise LoadError("two inputs of the graph have the same name")
    initial = set(_initialised(proto.graph))
    return Signature(
        inputs=tuple(_input_info(i, options) for i in proto.graph.input if i.name not in initial),
        outputs=tuple(types.info(o) for o in proto.graph.output),
        initializers=tuple(types.info(i) for i in proto.graph.input if i.name in initial),
        metadata=types.metadata(proto),
        opsets=_opsets(proto),
    )


def _initialised(graph: onnx.GraphProto) -> list[str]:
    return [t.name for t in graph.initializer] + [s.values.name for s in graph.sparse_initializer]


def open_model(model: Origin, options: CompileOptions | None = None, content: Array | None = None) -> Source:
    """Parse a model file. Raises LoadError.

    With its `content`, what is large is taken from there, and `proto` has marks in its place.
    """
    options = options or CompileOptions()
    if isinstance(model, Source):
        return model
    if isinstance(model, ModelProto):
        return Source(readable(model), folders_of(None, options.external_folder))
    folders = folders_of(None if isinstance(model, bytes) else model, options.external_folder)
    where, data = "the model", content
    if isinstance(model, bytes):
        data = np.frombuffer(model, np.uint8)
    else:
        where = str(Path(model))
        try:
            data = np.frombuffer(Path(model).read_bytes(), np.uint8) if data is None else data
        except OSError as error:
            raise LoadError(f"{where} cannot be read: {error.strerror or error}") from error
    start = data[:START_BYTES].tobytes()
    if start[4:8] == b"ORTM":
        raise LoadError(f"{where} is in the ORT format; give the ONNX file it was made from")
    try:
        extracted = Extracted(data.tobytes(), {}) if content is None else extract(data)
        proto = ModelProto.FromString(extracted.data)
    except (DecodeError, RecursionError) as error:
        why = unparsed(start, error)
        raise LoadError(f"{where}: protobuf parsing failed: {why}", kind="protobuf") from error
    return Source(readable(proto), folders, extracted.taken)


def _domain(name: str) -> str:
    return "" if name == "ai.onnx" else name


def _opsets(proto: onnx.ModelProto) -> dict[str, int]:
    opsets = opsets_of(proto.opset_import)
    if not opsets and proto.ir_version < 3:
        opsets = {"": 1}
    if not opsets:
        raise LoadError("the model imports no opset; its opset_import must name at least one", kind="graph")
    newest = newest_opset()
    if opsets.get("", 1) > newest:
        newest = newest_installed()
    if not 0 < opsets.get("", 1) <= newest:
        raise LoadError(f"opset {opsets['']} of the domain ai.onnx is unknown; 1 to {newest} can be read")
    return opsets


def _inputs(
    graph: onnx.GraphProto, scope: Scope, options: CompileOptions, fed: Collection[str], facts: FeedFacts
) -> tuple[Value, ...]:
    initial = set(_initialised(graph))
    variable = [i for i in graph.input if i.name not in initial]
    variable += [i for i in graph.input if i.name in initial and i.name in fed]
    inputs = []
    for proto in variable:
        value = _placeholder(proto, options, facts)
        inputs.append(value)
        if proto.name in facts.contents:
            scope.define(proto.name, const(np.array(facts.contents[proto.name], value.dtype.numpy)))
            continue
        scope.define(proto.name, value)
        small = isinstance(value.size, int) and value.size <= _ASKABLE_SIZE
        if small or value.dtype.is_int or value.dtype is dt.BOOL:
            scope.model.askable.add(proto.name)
        for axis, size in enumerate(value.shape):
            for name in dims.symbols(size):
                scope.model.sizes.setdefault(name, (proto.name, axis))
    made = {name for node in graph.node for name in node.output} if options.initializers else set()
    for name, array in options.initializers.items():
        if name not in made and name not in scope.values:
            scope.define(name, const(array))
    scope.initialise(graph, frozenset({i.name for i in variable} | options.initializers.keys()))
    return tuple(inputs)


def _placeholder(proto: onnx.ValueInfoProto, options: CompileOptions, facts: FeedFacts) -> Value:
    def fix(name: str, denotation: str) -> int | None:
        return options.dims.get(name, options.denotations.get(denotation) if denotation else None)

    dtype = types.element_type(proto.type)
    if dtype is None:
        raise LoadError(f'the input "{proto.name}" has no element type')
    if proto.name in facts.shapes:
        shape: tuple[Dim, ...] | None = facts.shapes[proto.name]
    else:
        shape = types.sizes(proto, fix, facts.several, options.distinct, facts.least)
    if dtype is dt.OBJECT:
        tensor = types.tensor_of(proto.type)
        element = dt.by_onnx(tensor.elem_type) if tensor is not None and tensor.elem_type else dt.OBJECT
        attrs = {"name": proto.name, "type": types.type_string(proto.type)}
        return Value("input", (), attrs, dtype, (), None, elements.declared(element, shape))
    if shape is None:
        raise NeedsContent(f'the input "{proto.name}" declares no rank', shapes=(proto.name,))
    return placeholder(proto.name, dtype, shape)


def _input_info(proto: onnx.ValueInfoProto, options: CompileOptions) -> TensorInfo:
    """The declared input with the sizes that the options fix."""
    info = types.info(proto)
    if info.shape is None or not (options.dims or options.denotations):
        return info

    def fixed(size: int | str | None, denotation: str) -> int | str | None:
        named = options.denotations.get(denotation, size) if denotation else size
        return size if isinstance(size, int) else options.dims.get(size or "", named)

    tensor = types.tensor_of(proto.type)
    assert tensor is not None
    sizes = zip(info.shape, tensor.shape.dim, strict=True)
    return TensorInfo(info.name, info.type, tuple(fixed(size, dim.denotation) for size, dim in sizes))


def _sought(model: Model) -> list[tuple[onnx.ValueInfoProto, Value]]:
    found = [(ValueInfoProto(name=name), value) for name, value in model.sought.items()]
    if missing := [proto.name for proto, value in found if value is None]:
        raise LoadError(f"no node computes {', '.join(missing)}")
    return [(proto, value) for proto, value in found if value is not None]


def _output(proto: onnx.ValueInfoProto, scope: Scope) -> Value:
    value = scope.values.get(proto.name)
    if value is None:
        raise LoadError(f'the output "{proto.name}" has no value')
    declared = types.element_type(proto.type)
    if declared is not None and declared is not value.dtype:
        given = value.dtype.onnx_name
        raise ShapeError(f'the output "{proto.name}" is declared as {declared.onnx_name} but is {given}')
    return value


def _output_info(proto: onnx.ValueInfoProto, value: Value, names: Collection[str]) -> TensorInfo:
    """An output as users see it; `names` are those of sizes of inputs."""
    info = types.info(proto)
    if value.dtype is dt.OBJECT:
        return info
    declared = (
        info.shape if info.shape is not None and len(info.shape) == value.rank else (None,) * value.rank
    )
    shape = tuple(_merged(d, n, names) for d, n in zip(declared, value.shape, strict=True))
    kind = "sparse_tensor" if info.type.startswith("sparse") else "tensor"
    return TensorInfo(info.name, f"{kind}({value.dtype.onnx_name})", shape)


def _merged(declared: int | str | None, size: Dim, names: Collection[str]) -> int | str | None:
    """How a size is shown: its number, the name the model gives it, or that of the same input size."""
    if isinstance(size, int):
        return size
    name = dims.symbol_name(size)
    return declared or (name if name in names else None)
