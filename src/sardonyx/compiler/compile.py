"""The whole compiler, from a loaded model to program data and machine code, top to bottom."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from sardonyx import passes
from sardonyx.base import dim as dims
from sardonyx.base.evaluator import Evaluator
from sardonyx.base.knobs import CompileOptions
from sardonyx.base.report import FallbackNote, KernelNote, Report
from sardonyx.base.signature import ModelMeta, TensorInfo
from sardonyx.base.target import Target
from sardonyx.base.trace import Trace, View
from sardonyx.compiler.assemble import Assembler, Constants
from sardonyx.compiler.bodies import (
    CONTROL,
    EXECUTABLE,
    NATIVE_CONTROL,
    add_control,
    control_step,
    native_control,
)
from sardonyx.compiler.build import Build
from sardonyx.errors import UnsupportedOp
from sardonyx.frontend import Loaded
from sardonyx.fuse import text as fusion_text
from sardonyx.fuse.partition import partition
from sardonyx.ir import text as graph_text
from sardonyx.ir.graph import Graph, symbols_of
from sardonyx.ir.group import Fusion, Group
from sardonyx.ir.value import Value
from sardonyx.ir.verify import verify
from sardonyx.kernels.call import NativeCall
from sardonyx.kernels.families import native_calls
from sardonyx.loops import text as kernel_text
from sardonyx.loops.verify import verify as verify_kernel
from sardonyx.runtime import listing
from sardonyx.runtime.cache import Cache
from sardonyx.runtime.data import Bounds, ProgramData
from sardonyx.runtime.host import HostOperation
from sardonyx.runtime.image import LoadedImage

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True)
class Compiled:
    """A program in parts: data, constants, machine code and the code's key in the cache, and the report."""

    data: ProgramData
    weights: Sequence[Array]
    image: LoadedImage
    image_key: str
    report: Report


def compile_model(
    load: Callable[[], Loaded], target: Target, options: CompileOptions, store: Cache, compiler: str = ""
) -> Compiled:
    """The whole compiler. Each line is one stage; `trace` names, times, verifies and may dump it.

    `compiler` is a digest of this package's code. Raises what `load` raises, and UnsupportedOp if an operator
    has no native code and `options.fallback` is "error".
    """
    trace = tracing(options)
    loaded = load()
    trace.stage("load", loaded.graph)
    report = Report(fallbacks=list(loaded.fallbacks), operators=dict(loaded.operators))
    with Build(target, store, compiler, options.jobs) as build:
        parts = Parts(target, report, build)
        with dims.assuming(loaded.bounds):
            data = build_program(loaded.graph, parts, trace)
        data = trace.stage("assemble", described(data, loaded, report))
        if options.fallback == "error":
            refuse(report.fallbacks)
        for name in sorted(build.modules) if trace.prints_code else ():
            trace.code(f"{name.replace(' ', '_')}.ll", partial(build.ir, name))
        key, image = trace.stage("codegen", build.image(report))
    trace.finish(report)
    return Compiled(data, parts.constants.arrays, image, key, report)


@dataclass(frozen=True, slots=True)
class Parts:
    """What a program and those inside it share: machine code, constants, the report."""

    target: Target
    report: Report
    build: Build
    constants: Constants = field(default_factory=Constants)


def build_program(graph: Graph, parts: Parts, trace: Trace) -> ProgramData:
    """The program of a graph or of a body inside one; what it needs is added to `parts`."""
    graph = simplify(graph, trace)
    fusion = trace.stage("partition", partition(graph, EXECUTABLE))
    parts.report.decisions.extend(fusion.decisions)
    builder = Builder(fusion, parts)
    builder.add(fusion)
    trace.stage("lower", builder.calls)
    return builder.data()


def simplify(graph: Graph, trace: Trace) -> Graph:
    """All passes over a graph and over the graphs inside it that become part of the same native code."""
    for run_pass in passes.PIPELINE:
        graph = trace.stage(run_pass.__name__, run_pass(graph))
    return native_control(graph, lambda body: simplify(body, Trace.off()))


class Builder:
    """Lowers groups to calls and appends them to one program."""

    def __init__(self, fusion: Fusion, parts: Parts) -> None:
        known = {name for value in fusion.graph.inputs for name in symbols_of(value)}
        self.assembler = Assembler(fusion, sorted(known), parts.constants)
        self.parts = parts
        self.calls: list[NativeCall] = []

    def add(self, fusion: Fusion) -> None:
        """Append all groups of the program's graph or of a graph inside it."""
        for group in fusion.groups:
            self._add_group(fusion, group)

    def _add_group(self, fusion: Fusion, group: Group) -> None:
        root, report = group.root, self.parts.report
        if group.kind == "host" and root.prim in CONTROL:
            step = control_step(root, lambda body: build_program(body, self.parts, Trace.off()))
            self.assembler.host(root, step, root.args)
            report.kernels.append(KernelNote(step.name, root.origins, "control", "bodies run from Python"))
        elif group.kind == "host":
            self.assembler.host(root, HostOperation.of(root), root.args)
            note = FallbackNote(root.prim, ", ".join(root.origins), "no native kernel")
            report.fallbacks.append(note)
        elif root.prim in NATIVE_CONTROL:
            add_control(self.assembler, fusion, root, self.add)
            report.kernels.append(KernelNote(root.prim, root.origins, "control", "native jumps"))
        else:
            for call, modules in native_calls(group, fusion.places, self.parts.target):
                for name, text in modules.items():
                    self.parts.build.add(name, text)
                self.assembler.call(call)
                self.calls.append(call)
                note_call = KernelNote(call.symbol, call.origins, call.kind, call.plan, "fp32")
                report.kernels.append(note_call)
        self.assembler.computed(root)

    def data(self) -> ProgramData:
        """The finished program; its inputs have the names of the graph's."""
        assembler = self.assembler
        results = assembler.results()
        assembler.close(None)
        return replace(
            outline(assembler.fusion.graph),
            storages=assembler.specs(),
            segments=tuple(assembler.segments),
            results=results,
        )


def outline(graph: Graph) -> ProgramData:
    """What a program of a graph expects of its feeds; it does nothing yet."""
    return ProgramData(
        inputs=tuple(TensorInfo(str(v.attrs["name"]), v.dtype.name, None) for v in graph.inputs),
        outputs=(),
        initializer_inputs=(),
        metadata=ModelMeta(),
        fallbacks=(),
        symbols=tuple((name, n, axis) for name, (n, axis) in graph.symbols().items()),
        input_shapes=tuple(map(fed_shape, graph.inputs)),
        storages=(),
        segments=(),
        results=(),
    )


def described(data: ProgramData, loaded: Loaded, report: Report) -> ProgramData:
    """The program with what its model shows of itself."""
    return replace(
        data,
        inputs=loaded.inputs,
        outputs=loaded.outputs,
        initializer_inputs=loaded.initializers,
        metadata=loaded.metadata,
        fallbacks=tuple(report.fallbacks),
        bounds=bounds(loaded),
    )


def bounds(loaded: Loaded) -> Bounds | None:
    """The least sizes that are assumed of the feeds and not proven."""
    known = set(loaded.graph.symbols())
    with dims.assuming({}):
        rows = [
            (dim, low)
            for dim, low in loaded.bounds.items()
            if dims.at_least(dim, low) is not True and dims.symbols(dim) <= known
        ]
    evaluator = Evaluator(sorted(known))
    for dim, _ in rows:
        evaluator.add(dim)
    least = tuple((low, tuple(sorted(dims.symbols(dim)))) for dim, low in rows)
    return Bounds(evaluator.code(), evaluator.used, least) if rows else None


def fed_shape(value: Value) -> tuple[int | str, ...] | None:
    """The sizes that a feed must have, by number or symbol; None if it is no tensor."""
    if value.dtype.kind == "O" and not value.shape:
        return None
    return tuple(n if isinstance(n, int) else dims.symbol_name(n) or "" for n in value.shape)


def refuse(fallbacks: Sequence[FallbackNote]) -> None:
    """Raise UnsupportedOp if there is any operator without native code."""
    for note in fallbacks:
        raise UnsupportedOp(
            f"{note.op} ({note.node}) does not run native: {note.reason}; "
            'set the option fallback to "allow" to run it in numpy'
        )


def call_text(call: NativeCall) -> str:
    """The loops of a kernel, or the plan of one that is not made of loops."""
    if call.kernel is not None:
        return f"{call.symbol}: {kernel_text.text(call.kernel)}"
    return f"{call.symbol}: {call.kind} {call.plan}  # {', '.join(call.origins)}"


def verify_call(call: NativeCall) -> None:
    """Raise CompileError if the kernel of a call breaks an invariant."""
    if call.kernel is not None:
        verify_kernel(call.kernel)


def tracing(options: CompileOptions) -> Trace:
    """A trace that prints, verifies and dumps what the options ask for."""
    views: dict[type, View] = {
        Graph: View(graph_text.text, verify, lambda graph: len(graph.order())),
        NativeCall: View(call_text, verify_call, lambda call: 1),
        Fusion: View(fusion_text.text, None, lambda fusion: len(fusion.groups)),
        ProgramData: View(listing.text, None, lambda data: sum(len(s.functions) for s in data.segments)),
    }
    dump = Path(options.dump) if options.dump else None
    return Trace(views, debug=options.debug, dump=dump, verify=options.verify)
