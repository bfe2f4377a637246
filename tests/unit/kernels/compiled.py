"""Compiles graphs built by hand and runs them natively, for tests of kernels."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from sardonyx.base import dtype as dt
from sardonyx.base.policy import Goal, Policy
from sardonyx.base.report import Report
from sardonyx.base.target import Target
from sardonyx.compiler.builder import Parts, body_program
from sardonyx.ir.data_size import collect_data_sizes
from sardonyx.ir.graph import Graph
from sardonyx.ir.run import run
from sardonyx.ir.text import text
from sardonyx.ir.value import Value, const, placeholder
from sardonyx.runtime import cache
from sardonyx.runtime.program import Program
from sardonyx.runtime.weights import Weights
from sardonyx.store import identity
from sardonyx.targets.x86_64.backend import X86Backend
from tests.runnable import is_quick

Array = np.ndarray[Any, Any]
Make = Callable[..., Sequence[Value]]
Sizes = Sequence[Any]
FP32 = Policy()


def graph_of(make: Make, arrays: Sequence[Array], constant: Sequence[int] = (), sizes: Sizes = ()) -> Graph:
    """The graph that `make` makes of one value an array.

    The arrays numbered in `constant` are constants, the others inputs of their shapes, or of the one that
    `sizes` has for them.
    """
    with collect_data_sizes() as data_sizes:
        values = [
            const(a)
            if n in constant
            else placeholder(
                f"x{n}", dt.by_numpy(a.dtype), sizes[n] if n < len(sizes) and sizes[n] else a.shape
            )
            for n, a in enumerate(arrays)
        ]
        results = make(*values)
        inputs = tuple(v for n, v in enumerate(values) if n not in constant)
        return Graph(inputs, tuple((f"y{n}", v) for n, v in enumerate(results)), data_sizes)


def programs_of(graph: Graph, target: Target, policy: Policy = FP32) -> Callable[[int], Program]:
    """The compiled graph for any number of threads; AssertionError if part of it would run on the host."""
    backend = X86Backend(Goal(target, policy))
    with backend.build(cache.shared(), identity.build(), quick=is_quick(target, text(graph))) as build:
        parts = Parts(backend, Report(), build)
        data = body_program(graph, parts)
        assert not parts.report.fallbacks, parts.report.fallbacks
        image = build.code(parts.report).image
    weights = Weights(parts.constants.arrays)
    return lambda threads: Program(data, weights, image, lambda: parts.report, threads=threads)


def program_of(graph: Graph, target: Target, threads: int = 1, policy: Policy = FP32) -> Program:
    """The compiled graph; AssertionError if part of it would run on the host."""
    return programs_of(graph, target, policy)(threads)


def native(graph: Graph, target: Target, feeds: Sequence[Array], threads: int = 1) -> list[Array]:
    """All results of one run."""
    (results,) = natives(graph, target, feeds, [threads])
    return results


def natives(
    graph: Graph, target: Target, feeds: Sequence[Array], threads: Sequence[int], policy: Policy = FP32
) -> Iterator[list[Array]]:
    """All results of a run for each of these numbers of threads; the graph is compiled once."""
    program = programs_of(graph, target, policy)
    for number in threads:
        yield program(number).run(feeds, range(len(graph.outputs)))


def reference(make: Make, arrays: Sequence[Array], constant: Sequence[int] = ()) -> list[Array]:
    """The results of the reference execution in double precision."""
    wide = [a.astype(np.float64) if dt.by_numpy(a.dtype).is_float else a for a in arrays]
    graph = graph_of(make, wide, constant)
    return run(graph, [a for n, a in enumerate(wide) if n not in constant])
