"""A model that runs in numpy: the compiler's stages up to loops, then every kernel as its loops mean it.

Runs on any machine, slowly, and judges what native code computes. Must not know LLVM.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from sardonyx.base import dim as dims
from sardonyx.base.policy import Goal
from sardonyx.base.report import FallbackNote, KernelNote, Report
from sardonyx.base.signature import ModelMeta, TensorInfo
from sardonyx.compiler.backend import Job
from sardonyx.compiler.bodies import NATIVE_CONTROL
from sardonyx.compiler.compile import described, outline, refuse
from sardonyx.errors import ShapeError
from sardonyx.frontend import Loaded
from sardonyx.fuse.run import Memory, run_group
from sardonyx.ir.group import Fusion, Group
from sardonyx.ir.unproven import unproven
from sardonyx.kernels.families import NATIVE as FAMILIES
from sardonyx.loops.lower import lower, lower_padding
from sardonyx.loops.nest import Kernel
from sardonyx.loops.run import run as run_kernel
from sardonyx.passes import PIPELINE
from sardonyx.runtime.closing import Closer
from sardonyx.runtime.data import ClosingStep, ProgramData
from sardonyx.runtime.runnable import CallTime, MakeAlternative
from sardonyx.runtime.size_check import Alternatives, SizeCheck

NATIVE = FAMILIES | NATIVE_CONTROL
"""What a machine runs in native code: the same programs are judged."""


class ReferenceBackend:
    """Keeps the groups and loops of a program and runs them in numpy."""

    native = NATIVE
    pipeline = PIPELINE

    def __init__(self, goal: Goal) -> None:
        self.goal = goal

    def make(self, fusion: Fusion, loaded: Loaded, job: Job) -> Interpreter:
        """The program in numpy; UnsupportedOp as `refuse` raises it."""
        kernels = {part: lowered(part, fusion) for group in fusion.groups for part in group.parts or (group,)}
        for group in fusion.groups:
            origins = group.root.origins
            if group.kind == "host":
                job.report.note_host(group.root.prim, origins)
            elif group.kind != "concat":
                job.report.kernels.append(KernelNote(group.name, origins, group.kind, "numpy"))
        if job.options.fallback == "error":
            refuse(job.report.fallbacks)
        data = described(outline(fusion.graph), loaded, job)
        return Interpreter(fusion, kernels, data, job.report, job.alternative)


def lowered(group: Group, fusion: Fusion) -> tuple[Kernel, ...]:
    """The loop nests that compute a group; none for a contraction or an algorithm."""
    if group.kind == "padding":
        return (lower_padding(group, fusion.places),)
    return tuple(lower(group, fusion.places)) if group.kind == "loops" else ()


class Interpreter:
    """A model ready to run in numpy; offers what `Program` offers."""

    def __init__(
        self,
        fusion: Fusion,
        kernels: dict[Group, tuple[Kernel, ...]],
        data: ProgramData,
        report: Report,
        alternative: MakeAlternative,
    ) -> None:
        self.fusion, self.kernels, self.report = fusion, kernels, report
        self.inputs: tuple[TensorInfo, ...] = data.inputs
        self.outputs: tuple[TensorInfo, ...] = data.outputs
        self.initializer_inputs: tuple[TensorInfo, ...] = data.initializer_inputs
        self.metadata: ModelMeta = data.metadata
        self.fallbacks: tuple[FallbackNote, ...] = data.fallbacks
        self._obligations = [(o, dims.symbols(o.dim)) for o in unproven(fusion.graph)]
        self._closer = Closer(data.closing, None) if data.closing is not None else None
        self._size_check = SizeCheck(data, whole=True)
        self._alternatives = Alternatives(alternative)

    def run(self, feeds: Sequence[Any], wanted: Sequence[int]) -> list[Any]:
        """The wanted outputs for one feed an input; see `Program.run`."""
        results = self.profile(feeds)[0]
        return [results[number] for number in wanted]

    def compile_fully(self) -> None:
        """Nothing to do: there is no code."""

    def profile(self, feeds: Sequence[Any]) -> tuple[list[Any], list[CallTime]]:
        """All outputs and the times of the groups; see `Program.profile`."""
        symbols, overrides = self._size_check.sizes(feeds)
        if overrides is not None:
            with overrides.explained(feeds, self._size_check):
                return self._alternatives.get(overrides).profile(feeds)
        memory, times = Memory(self.fusion, feeds), list[CallTime]()
        checked = frozenset[str]()
        for group in self.fusion.groups:
            checked = self._check(memory.sizes, checked)
            began = time.perf_counter_ns()
            self._compute(group, memory)
            memory.note(group.root)
            passed = float(time.perf_counter_ns() - began)
            times.append(CallTime(group.name, group.root.origins, passed, 0.0))
        self._check(memory.sizes, checked)
        results = memory.outputs()
        if self._closer is not None:
            made = dict(enumerate(results))
            results = self._closer.run(partial(_close, times), feeds, made, symbols, self._closer.every)
        return [_own(result) for result in results], times

    def _compute(self, group: Group, memory: Memory) -> None:
        for part in group.parts:
            self._compute(part, memory)
        if group.parts:
            return
        kernels = self.kernels[group]
        for kernel in kernels:
            run_kernel(kernel, {b: memory.storage(b.key) for b in kernel.buffers()}, memory.sizes)
        if not kernels:
            run_group(group, memory)

    def _check(self, sizes: dict[str, int], before: frozenset[str]) -> frozenset[str]:
        """Check what sizes must fulfil as soon as all of them are known; the names of these.

        Raises ShapeError if they contradict each other.
        """
        known = frozenset(sizes)
        for obligation, names in self._obligations if known != before else ():
            if names <= known and not obligation.holds(sizes):
                raise ShapeError(f"{obligation.message}; check the input shapes")
        return known


def _close(times: list[CallTime], step: ClosingStep, args: Sequence[Any], symbols: Mapping[str, int]) -> Any:
    began = time.perf_counter_ns()
    assert callable(step.run)
    result = step.run(args, symbols)
    times.append(CallTime("host", (step.name,), float(time.perf_counter_ns() - began), 0.0))
    return result


def _own(result: Any) -> Any:
    """A result that shares no memory with feeds or weights."""
    if isinstance(result, list):
        return [_own(item) for item in result]
    return result.copy() if isinstance(result, np.ndarray) else result
