"""Runs the loop kernels of a graph alone, for tests: on guarded memory, threads one after the other."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from sardonyx.base import dim as dims
from sardonyx.base import dtype as dt
from sardonyx.base.dim import Dim
from sardonyx.base.target import Target
from sardonyx.fuse.partition import partition
from sardonyx.ir.graph import Graph
from sardonyx.ir.group import Fusion
from sardonyx.ir.place import Storage
from sardonyx.ir.value import Value, placeholder
from sardonyx.llvm import engine, executor
from sardonyx.llvm.emit import Emitted, emit
from sardonyx.llvm.layout import Context, Status
from sardonyx.llvm.link import link
from sardonyx.loops.lower import border, lower
from sardonyx.loops.nest import Kernel
from sardonyx.loops.schedule import schedule
from sardonyx.runtime.image import load
from tests.unit.kernels.native import guarded

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
        if group.kind == "border":
            found.append(schedule(border(group, fusion.places), target))
        elif group.kind != "concat":
            assert group.kind == "loops", group.kind
            found += [schedule(k, target) for k in lower(group, fusion.places)]
    return found


@cache
def _object(text: str, target: Target) -> bytes:
    return engine.compile_object(text, target)


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
        texts = [executor.ir(target), *sorted({e.ir for e in self.emitted})]
        self._image = load(link([_object(text, target) for text in texts]))

    def run(self, feeds: Sequence[Array], threads: int = 1, only: int | None = None) -> list[Array]:
        """The results, or what thread `only` adds to them; KernelError if a kernel reports an error."""
        memory = Memory(self.graph, feeds)
        for number, (place, (_, value)) in enumerate(
            zip(self.fusion.outputs, self.graph.outputs, strict=True)
        ):
            assert place is not None
            memory.shape_output(number, value, place.storage)
        for emitted in self.emitted:
            self._call(emitted, memory, threads, only)
        return [
            memory.arrays[id(p.storage)].reshape(memory.shapes[n])
            for n, p in enumerate(self.fusion.outputs)
            if p
        ]

    def calls(self, feeds: Sequence[Array], scratch: int = 1 << 20) -> list[Callable[[], None]]:
        """One function a kernel that runs it alone, for timing."""
        memory = Memory(self.graph, feeds, guard=False)
        private, status = np.zeros(scratch, np.uint8), np.zeros(Status.WORDS, np.int64)
        context = _context(1, 0, private, status)
        functions = []
        for emitted in self.emitted:
            words, run = memory.words(emitted), self._function(emitted)
            functions.append(lambda w=words, c=context, run=run: run(w.ctypes.data, c.ctypes.data))
        self._keep = memory, context, private, status
        return functions

    def _function(self, emitted: Emitted) -> Callable[[int, int], None]:
        return _KERNEL(self._image.address(emitted.symbol))

    def _call(self, emitted: Emitted, memory: Memory, threads: int, only: int | None) -> None:
        words, status = memory.words(emitted), np.zeros(Status.WORDS, np.int64)
        size = dims.evaluate(emitted.scratch_bytes, memory.bindings)
        scratch = guarded(np.full(-(-size // 64) * 64, 0xFF, np.uint8), align=64)
        for tid in range(threads) if only is None else [only]:
            context = _context(threads, tid, scratch, status)
            self._function(emitted)(words.ctypes.data, context.ctypes.data)
        if status[Status.CODE]:
            raise KernelError(*(int(status[w]) for w in (Status.CODE, Status.DETAIL0, Status.DETAIL1)))


class Memory:
    """The storages of one run; every one ends where unmapped memory begins."""

    def __init__(self, graph: Graph, feeds: Sequence[Array], guard: bool = True) -> None:
        self.bindings = {n: int(feeds[i].shape[a]) for n, (i, a) in graph.symbols().items()}
        self.feeds = feeds
        self.guard = guard
        self.arrays: dict[int, Array] = {}
        self.shapes: dict[int, tuple[int, ...]] = {}
        self.keep: list[Storage] = []

    def evaluate(self, dim: Dim) -> int:
        return int(dims.evaluate(dim, self.bindings))

    def shape_output(self, number: int, value: Value, storage: Storage) -> None:
        self.shapes[number] = tuple(self.evaluate(n) for n in value.shape)
        self.address(storage)

    def address(self, storage: Storage) -> int:
        if id(storage) not in self.arrays:
            self.keep.append(storage)
            array = self._content(storage)
            self.arrays[id(storage)] = guarded(array) if self.guard else array.copy()
        return self.arrays[id(storage)].ctypes.data

    def _content(self, storage: Storage) -> Array:
        if storage.kind == "input":
            return np.ascontiguousarray(self.feeds[storage.index]).reshape(-1)
        if storage.kind == "const":
            assert storage.value is not None and storage.value.data is not None
            data = storage.value.data
            flat = [self.evaluate(n) for n in data.flat] if data.dtype == object else data
            return np.array(flat, storage.dtype.numpy).reshape(-1)
        size_bytes = self.evaluate(storage.size) * storage.dtype.size_bytes
        return np.full(size_bytes, 0xC5, np.uint8).view(storage.dtype.numpy)

    def words(self, emitted: Emitted) -> Array:
        words = np.zeros(max(1, len(emitted.words)), np.int64)
        for n, word in enumerate(emitted.words):
            words[n] = self.evaluate(word.dim)
            if word.buffer is not None:
                storage = word.buffer.key
                words[n] = words[n] * storage.dtype.size_bytes + self.address(storage)
        return words if not self.guard else guarded(words)


def _context(threads: int, tid: int, scratch: Array, status: Array) -> Array:
    context = np.zeros(Context.WORDS, np.int64)
    context[Context.TID], context[Context.NTHREADS] = tid, threads
    context[Context.SCRATCH], context[Context.SCRATCH_BYTES] = scratch.ctypes.data, scratch.nbytes
    context[Context.STATUS] = status.ctypes.data
    return context
