"""The whole compiler, from a loaded model to a program, top to bottom.

What depends on the target is its backend's. Must not know machines, kernels or how a program is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from sardonyx.base import dim as dims
from sardonyx.base.dataclass import replace
from sardonyx.base.evaluator import Evaluator
from sardonyx.base.knobs import CompileOptions
from sardonyx.base.report import FallbackNote, Report
from sardonyx.base.signature import ModelMeta, TensorInfo
from sardonyx.base.trace import Trace
from sardonyx.compiler.backend import Backend, Job
from sardonyx.compiler.bodies import (
    native_control,
)
from sardonyx.compiler.closing import close
from sardonyx.compiler.compiled import Compiled
from sardonyx.errors import UnsupportedOp
from sardonyx.frontend import Loaded
from sardonyx.fuse.partition import partition
from sardonyx.ir.graph import Graph
from sardonyx.ir.value import Value
from sardonyx.runtime.data import LeastSizes, ProgramData
from sardonyx.runtime.runnable import ModelProgram


def compile_model(load: Callable[[], Loaded], backend: Backend, job: Job) -> Compiled | ModelProgram:
    """The whole compiler. Each line is one stage; `trace` names, times, verifies and may dump it.

    Raises what `load` raises, and UnsupportedOp if an operator has no native code and the option `fallback`
    is "error".
    """
    trace = tracing(job.options)
    loaded = load()
    trace.stage("load", loaded.graph)
    report = Report(fallbacks=list(loaded.fallbacks), operators=dict(loaded.operators))
    with dims.assuming(loaded.least_sizes):
        graph = simplify(loaded.graph, backend, trace)
        graph, closing = close(graph, backend.native, report)
        fusion = trace.stage("partition", partition(graph, backend.native))
        report.decisions.extend(fusion.decisions)
        made = backend.make(fusion, loaded, replace(job, report=report, trace=trace, closing=closing))
    trace.finish(report)
    return made


def simplify(graph: Graph, backend: Backend, trace: Trace) -> Graph:
    """All passes over a graph and over the graphs inside it that become part of the same native code."""
    for run_pass in backend.pipeline:
        graph = trace.stage(run_pass.__name__, run_pass(graph, backend.goal))
    return native_control(graph, backend.native, lambda body: simplify(body, backend, Trace.off()))


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


def described(data: ProgramData, loaded: Loaded, job: Job) -> ProgramData:
    """The program with what its model shows of itself."""
    return replace(
        data,
        inputs=loaded.inputs,
        outputs=loaded.outputs,
        initializer_inputs=loaded.initializers,
        metadata=loaded.metadata,
        fallbacks=tuple(job.report.fallbacks),
        least_sizes=least_sizes(loaded),
        closing=job.closing,
    )


def least_sizes(loaded: Loaded) -> LeastSizes | None:
    """The least sizes that are assumed of the feeds and not proven."""
    known = set(loaded.graph.symbols())
    with dims.assuming({}):
        rows = [
            (dim, low)
            for dim, low in loaded.least_sizes.items()
            if dims.at_least(dim, low) is not True and dims.symbols(dim) <= known
        ]
    evaluator = Evaluator(sorted(known))
    for dim, _ in rows:
        evaluator.add(dim)
    least = tuple((low, tuple(sorted(dims.symbols(dim)))) for dim, low in rows)
    return LeastSizes(evaluator.code(), evaluator.used, least) if rows else None


def fed_shape(value: Value) -> tuple[int | str, ...] | None:
    """The sizes that a feed must have, by number or symbol; None if it is not a tensor."""
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


def tracing(options: CompileOptions) -> Trace:
    """A trace that prints, verifies and dumps what the options ask for."""
    if not (options.debug or options.dump or options.verify):
        return Trace.off()
    from sardonyx.compiler.tracing import views

    dump = Path(options.dump) if options.dump else None
    return Trace(views(), debug=options.debug, dump=dump, verify=options.verify)
