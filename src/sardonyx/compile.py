"""The whole compiler, from a model to a program, top to bottom."""

from __future__ import annotations

import os
from collections.abc import Callable

from sardonyx import passes
from sardonyx.assemble import Assembler
from sardonyx.base import dim as dims
from sardonyx.base.knobs import CompileOptions
from sardonyx.base.report import FallbackNote, KernelNote, Report
from sardonyx.base.target import Target
from sardonyx.base.trace import Trace
from sardonyx.bodies import EXECUTABLE, add_branch, native_branches
from sardonyx.fuse.partition import partition
from sardonyx.ir.graph import Graph, symbols_of
from sardonyx.ir.group import Fusion, Group
from sardonyx.ir.value import Value
from sardonyx.kernels.call import NativeCall
from sardonyx.kernels.families import native_calls
from sardonyx.runtime.build import build_image
from sardonyx.runtime.data import ProgramData
from sardonyx.runtime.host import HostOperation
from sardonyx.runtime.program import Program
from sardonyx.runtime.weights import Weights
from sardonyx.targets import detect


def load_program(model: str | os.PathLike[str] | bytes, options: CompileOptions) -> Program:
    """The program of a model file (path or bytes), from the cache or compiled."""
    from sardonyx.frontend import load

    report = Report()
    trace = Trace.off()
    loaded = load(model, options, options.fed)
    target = detect()
    report.fallbacks.extend(FallbackNote(f.op, f.node, f.reason) for f in loaded.fallbacks)
    data, weights, library = compile_graph(loaded.graph, target, report, trace)
    data.inputs, data.outputs = tuple(loaded.inputs), tuple(loaded.outputs)
    data.initializer_inputs, data.metadata = tuple(loaded.initializers), loaded.metadata
    from sardonyx.base.knobs import cache_folder
    from sardonyx.runtime import cache

    _, image = build_image(library, target, cache.at(cache_folder(options.cache)), options.jobs, report)
    from sardonyx.runtime.cores import team_size

    return Program(data, Weights(weights), image, options.threads or team_size())


def compile_graph(graph: Graph, target: Target, report: Report, trace: Trace):  # noqa: ANN201
    """Passes, fusion, kernels, assembly: everything but machine code."""
    graph = simplify(graph, trace)
    fusion = trace.stage("partition", partition(graph, EXECUTABLE))
    report.decisions.extend(fusion.decisions)
    library: dict[str, Callable[[], str]] = {}
    assembler = Assembler(fusion, input_symbols(graph))
    for group in fusion.groups:
        add_group(assembler, fusion, group, target, library, report)
    results = assembler.results()
    assembler.close(None)
    data = ProgramData(
        inputs=(),
        outputs=(),
        initializer_inputs=(),
        metadata=None,
        report=report,
        symbols=tuple((name, n, axis) for name, (n, axis) in graph.symbols().items()),
        input_shapes=tuple(input_shape(v) for v in graph.inputs),
        storages=assembler.specs(),
        segments=tuple(assembler.segments),
        results=results,
    )
    return data, assembler.weights, library


def simplify(graph: Graph, trace: Trace) -> Graph:
    """All passes over a graph and over the graphs inside it that become part of the same native code."""
    for run_pass in passes.PIPELINE:
        graph = trace.stage(run_pass.__name__, run_pass(graph))
    return native_branches(graph, lambda body: simplify(body, Trace.off()))


def input_shape(value: Value) -> tuple[int | str, ...] | None:
    """The sizes that a feed must have, by number or symbol; None if it is no tensor."""
    if value.dtype.kind == "O" and not value.shape:
        return None
    return tuple(n if isinstance(n, int) else dims.symbol_name(n) or "" for n in value.shape)


def input_symbols(graph: Graph) -> list[str]:
    """The symbols that the feeds bind."""
    return sorted({name for v in graph.inputs for name in symbols_of(v)})


def add_group(
    assembler: Assembler,
    fusion: Fusion,
    group: Group,
    target: Target,
    library: dict[str, Callable[[], str]],
    report: Report,
) -> None:
    """Append what one group does to the program."""
    if group.kind == "host":
        assembler.host(group.root, HostOperation.of(group.root), group.root.args)
        report.fallbacks.append(
            FallbackNote(group.root.prim, ", ".join(group.root.origins), "no native kernel")
        )
    elif group.root.prim == "branch":
        add_branch(
            assembler,
            fusion,
            group.root,
            lambda body: [add_group(assembler, body, g, target, library, report) for g in body.groups],
        )
    else:
        for call, ir in native_calls(group, fusion.places, target):
            library.update(ir)
            assembler.call(call)
            report.kernels.append(note(call))
    assembler.computed(group.root)


def note(call: NativeCall) -> KernelNote:
    """The report's line about a call."""
    return KernelNote(call.symbol, call.origins, call.kind, call.plan, "fp32")


_ = dims
