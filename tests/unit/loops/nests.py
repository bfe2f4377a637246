"""Runs the loop kernels of a graph alone, for tests: on guarded memory, threads one after the other."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sardonyx.base import dim as dims
from sardonyx.base import dtype as dt
from sardonyx.base.abi import Status
from sardonyx.base.target import Target
from sardonyx.emit.nest import Emitted, emit
from sardonyx.fuse.partition import partition
from sardonyx.fuse.run import Memory
from sardonyx.ir.graph import Graph
from sardonyx.ir.group import Fusion
from sardonyx.ir.value import Value, placeholder
from sardonyx.loops.lower import lower, lower_padding
from sardonyx.loops.nest import Kernel
from sardonyx.loops.schedule import schedule
from sardonyx.object import executor
from tests.unit.contexts import contexts
from tests.unit.kernels.native import guarded
from tests.unit.objects import compiled, compiled_alone, loaded

Array = np.ndarray[Any, Any]
_KERNEL = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p)


def graph_of(results: Sequence[Value], inputs: Sequence[Value]) -> Graph:
    """A graph of values built by hand."""
    return Graph(tuple(inputs), tuple((f"y{n}", v) for n, v in enumerate(results)))


def inputs_like(arrays: Iterable[Array], symbolic: bool = False) -> list[Value]:
    """An input for each array, with its sizes, or with a symbol for every size above 1."""
    return [
        placeholder(
            f"x{n}",
            dt.by_numpy(a.dtype),
            [
                dims.symbol(f"s{n}_{axis}") if symbolic and size > 1 else size
                for axis, size in enumerate(a.shape)
            ],
        )
        for n, a in enumerate(arrays)
    ]


def kernels_of(fusion: Fusion, target: Target) -> list[Kernel]:
    """The scheduled kernels of all groups, in order."""
    found: list[Kernel] = []
    for group in fusion.groups:
        if group.kind == "padding":
            found.append(schedule(lower_padding(group, fusion.places), target))
        elif group.kind != "concat":
            assert group.kind == "loops", group.kind
            found += [schedule(k, target) for k in lower(group, fusion.places)]
    return found


@dataclass
class KernelError(Exception):
    """What a kernel reported."""

    code: int
    detail0: int
    detail1: int


class Native:
    """The compiled kernels of one graph."""

    def __init__(self, graph: Graph, target: Target) -> None:
        self.graph, self.target = graph, target
        self.fusion = partition(graph)
        self.kernels = kernels_of(self.fusion, target)
        self.emitted: list[Emitted] = [emit(k, target) for k in self.kernels]
        shared = {turn.ir(target) for e in self.emitted for turn in e.turns}
        codes = [compiled(text, target) for text in (executor.ir(target), *sorted(shared))]
        codes += [compiled_alone(text, target) for text in sorted({e.ir for e in self.emitted})]
        self._image = loaded(codes, target)

    def run(self, feeds: Sequence[Array], threads: int = 1, only: int | None = None) -> list[Array]:
        """The results, or what thread `only` adds to them; KernelError if a kernel reports an error."""
        memory = Memory(self.fusion, feeds, guarded)
        for emitted in self.emitted:
            self._call(emitted, memory, threads, only)
        return memory.outputs()

    def calls(self, feeds: Sequence[Array], scratch: int = 1 << 20) -> list[Callable[[], None]]:
        """One function a kernel that runs it alone, for timing."""
        memory = Memory(self.fusion, feeds, np.copy)
        private, status = np.zeros(scratch, np.uint8), np.zeros(Status.WORDS, np.int64)
        (context,) = contexts(1, private, status)
        functions = []
        for emitted in self.emitted:
            words, run = words_of(emitted, memory), self._function(emitted)
            functions.append(lambda w=words, c=context, run=run: run(w.ctypes.data, c.ctypes.data))
        self._keep = memory, context, private, status
        return functions

    def _function(self, emitted: Emitted) -> Callable[[int, int], None]:
        return _KERNEL(self._image.address(emitted.symbol))

    def _call(self, emitted: Emitted, memory: Memory, threads: int, only: int | None) -> None:
        words, status = guarded(words_of(emitted, memory)), np.zeros(Status.WORDS, np.int64)
        size = dims.evaluate(emitted.scratch_bytes, memory.sizes)
        scratch = guarded(np.full(-(-size // 64) * 64, 0xFF, np.uint8), align=64)
        for tid, context in enumerate(contexts(threads, scratch, status)):
            if only in (None, tid):
                self._function(emitted)(words.ctypes.data, context.ctypes.data)
        if status[Status.CODE]:
            raise KernelError(*(int(status[w]) for w in (Status.CODE, Status.DETAIL0, Status.DETAIL1)))


def words_of(emitted: Emitted, memory: Memory) -> Array:
    """The argument words of a kernel: sizes, and addresses of what it reads and writes."""
    words = np.zeros(max(1, len(emitted.words)), np.int64)
    for n, word in enumerate(emitted.words):
        words[n] = dims.evaluate(word.dim, memory.sizes)
        if word.buffer is not None:
            storage = word.buffer.key
            words[n] = words[n] * storage.dtype.size_bytes + memory.storage(storage).ctypes.data
    return words
