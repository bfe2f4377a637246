"""Contraction kernels that write down which lines they prefetch and which they read, in order.

Those of B, and of A where rows of it are prefetched too.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest

from sardonyx.base.dataclass import replace
from sardonyx.base.knobs import EFFORT
from sardonyx.base.policy import Goal
from sardonyx.base.target import Prefetch, Target
from sardonyx.kernels.tiles import beside, microkernel
from sardonyx.kernels.tiles.short import SPARE_BYTES
from sardonyx.llvm.vec import Function, Module, V, int_
from sardonyx.object import engine, executor
from sardonyx.runtime.image import LoadedImage
from tests.unit.kernels import native
from tests.unit.objects import compiled, loaded

Array = np.ndarray[Any, Any]
LINE = microkernel.CACHE_LINE
_EVENTS = 1 << 23
READ, FETCH = 0, 1


class Log:
    """Events in the order of their execution: (line of memory, read or prefetched).

    Those beyond the last that the log holds overwrite that one, and are counted.
    """

    def __init__(self, events: int = _EVENTS) -> None:
        self._words = np.zeros(events + 1, np.int64)

    def write(self, f: Function, address: V, kind: int) -> None:
        """Emit code that adds an event."""
        count = V(f"inttoptr (i64 {self._words.ctypes.data} to ptr)", "ptr")
        next_count = f.add(f.load(count, "i64"), int_(1))
        f.store(next_count, count)
        line = f.binary("lshr", f.convert("ptrtoint", address, "i64"), int_(6))
        place = f.smin(next_count, int_(len(self._words) - 1))
        f.store(f.add(f.mul(line, int_(2)), int_(kind)), f.gep(count, place, "i64"))

    def take(self) -> tuple[Array, Array]:
        """Lines and kinds of the events since the last call."""
        count = int(self._words[0])
        assert count < len(self._words), "the log is too short for this test"
        events = self._words[1 : count + 1].copy()
        self._words[0] = 0
        return events >> 1, events & 1


FETCHES = (Prefetch(1, 12 << 10, 4 << 10), Prefetch(2, 2048, 512))
"""Two ways to prefetch weights, whatever a target chooses."""

BESIDE = Prefetch(1, few_bytes=1 << 10, streams=2)
"""A way that asks ahead in stretches that are read side by side."""

ROWS_TOO = Prefetch(1, 12 << 10, 4 << 10, rows=True)
FAR_ROWS_TOO = Prefetch(1, 12 << 10, 4 << 10, far_rows=True)


Define = Callable[..., object]
"""Writes the kernels of a family into a module, for a goal and what else it is told."""


@cache
def _kernels(target: Target, define: Define, *told: object) -> tuple[Log, LoadedImage]:
    """The kernels of a family, and the log that they write."""
    log, step = Log(), microkernel.Writer._step

    def traced(writer: Any, bases: Any, b: V, steps: range, sums: Any, turn: int | None = None) -> Any:
        if target.prefetch.rows or target.prefetch.far_rows:
            for row in range(writer.kernel.rows):
                at = int_(steps.start * writer.element)
                log.write(writer.f, writer.f.gep(writer._row(bases, row), at, "i8"), READ)
        for offset in range(0, len(steps) * writer.step_bytes, LINE):
            at = int_(steps.start * writer.step_bytes + offset)
            for begin in (b, writer.f.gep(b, writer.other, "i8")) if writer.kernel.differs else (b,):
                log.write(writer.f, writer.f.gep(begin, at, "i8"), READ)
        if writer.shape.short:
            behind = steps.stop * writer.step_bytes + SPARE_BYTES - 1
            log.write(writer.f, writer.f.gep(b, int_(behind), "i8"), READ)
        return step(writer, bases, b, steps, sums, turn)

    def traced_beside(writer: Any, b: V, offset: int) -> V:
        log.write(writer.f, writer.f.gep(b, int_(offset), "i8"), READ)
        return column(writer, b, offset)

    column, module = microkernel.Writer._column, Module()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(microkernel.Writer, "_step", traced)
        patch.setattr(beside._Writer, "_column", traced_beside)
        patch.setattr(microkernel, "prefetch", lambda f, at, _level: log.write(f, at, FETCH))
        define(module, Goal(target), *told)
        text = module.text()
    code = engine.compile_object(text, target, quick=EFFORT.read() == "quick")
    return log, loaded([compiled(executor.ir(target), target), code], target)


class Trace:
    """Kernels for a target, whose threads are judged one by one; stands in for `native.library`.

    Attributes:
        wasted: how many prefetches were of lines that the thread did not read afterwards.
        fetched: the lines that were prefetched before they were first read.
        lines: the lines that were read.
    """

    def __init__(
        self,
        monkeypatch: pytest.MonkeyPatch,
        target: Target,
        fetch: Prefetch,
        define: Define,
        *told: object,
    ) -> None:
        self.wasted, self.fetched, self.lines = 0, set[int](), set[int]()
        self._log, self._image = _kernels(replace(target, prefetch=fetch), define, *told)
        self._alive = list[Any]()
        monkeypatch.setattr(native, "library", lambda *_: self)

    def address(self, symbol: str) -> int:
        """A function that calls the kernel and then judges what it prefetched; what picks others as it is."""
        if symbol.startswith("sdx_pick_"):
            return self._image.address(symbol)
        kernel = native.KERNEL(self._image.address(symbol))

        def judged(args: int, context: int) -> None:
            kernel(args, context)
            self._judge(*self._log.take())

        self._alive.append(native.KERNEL(judged))
        return ctypes.cast(self._alive[-1], ctypes.c_void_p).value or 0

    def _judge(self, lines: Array, kinds: Array) -> None:
        known, first, which = np.unique(lines, return_index=True, return_inverse=True)
        read, fetched = np.flatnonzero(kinds == READ), np.flatnonzero(kinds == FETCH)
        last_read = np.full(len(known), -1)
        np.maximum.at(last_read, which[read], read)
        self.wasted += int((last_read[which[fetched]] < fetched).sum())
        self.fetched.update(known[kinds[first] == FETCH].tolist())
        self.lines.update(known[last_read >= 0].tolist())
