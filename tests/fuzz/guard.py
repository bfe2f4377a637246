"""Memory between inaccessible pages: what leaves a buffer ends the process or spoils a canary.

Buffers end right before a page that faults, or begin right after one, in turns. Alignment leaves some bytes
between a buffer and the page; they hold a canary that `check` looks at. `install` puts every buffer of the
engine into such memory, filled with `STAINS`, so that what is read before it is written shows in the results.
Constants and feeds cannot be written either.
"""

from __future__ import annotations

import ctypes
import itertools
import math
import mmap
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from sardonyx.base.deferred import Constant
from sardonyx.runtime import allocate, bound
from sardonyx.runtime.arena import plan_arena
from sardonyx.runtime.data import ClosingStep, HostStep
from sardonyx.runtime.segments import Runner
from sardonyx.runtime.team import Failure, Launch, Team
from sardonyx.runtime.weights import Weights

Array = npt.NDArray[Any]
Bytes = npt.NDArray[np.uint8]

PAGE = mmap.PAGESIZE
CANARY = 0xA5
_ALIGN = 64
_LITTLE_BYTES = 1 << 22
"""Larger buffers are not filled before use."""
_MOST_BYTES = 1 << 46
"""Numpy says what is wrong with a larger array."""

_protect = ctypes.CDLL(None, use_errno=True).mprotect
_protect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
_turn = itertools.count()

STAINS = (0xFF, 0x41)
"""What memory holds before it is used: NaN or -1, and 12.08 or another ordinary number."""


class Overrun(Exception):  # noqa: N818
    """Native code wrote next to a buffer."""


@dataclass
class Watch:
    """The canaries of all buffers made since the last check, and what buffers are filled with."""

    slack: list[Bytes] = field(default_factory=list)
    stain: int = STAINS[0]

    def add(self, *parts: Bytes) -> None:
        """Watch these bytes, which become canaries."""
        for part in parts:
            part.fill(CANARY)
        self.slack += [part for part in parts if part.size]

    def check(self) -> None:
        """Raise Overrun if a canary changed; watch nothing any more."""
        slack, self.slack = self.slack, []
        for part in slack:
            if (part != CANARY).any():
                raise Overrun(f"{np.count_nonzero(part != CANARY)} of {part.size} bytes beside a buffer")


WATCH = Watch()


def _pages(size: int) -> tuple[mmap.mmap, Bytes]:
    """Whole pages for `size` bytes between two that fault, and the bytes of the inner ones."""
    count = max(1, -(-size // PAGE))
    try:
        memory = mmap.mmap(-1, (count + 2) * PAGE)
    except (OSError, OverflowError, ValueError):
        raise MemoryError(f"cannot map {size} bytes") from None
    whole = np.frombuffer(memory, np.uint8)
    start = whole.ctypes.data
    _forbid(start)
    _forbid(start + (count + 1) * PAGE)
    return memory, whole[PAGE:-PAGE]


def _forbid(address: int) -> None:
    if _protect(address, PAGE, 0):
        raise MemoryError("too many mapped areas")


def guarded_bytes(size: int, align: int = _ALIGN) -> Bytes:
    """Memory aligned to `align`, at one end of its pages."""
    _, pages = _pages(size)
    start = 0 if next(_turn) % 2 else (pages.size - size) // align * align
    inside = pages[start : start + size]
    WATCH.add(pages[:start], pages[start + size :])
    if size <= _LITTLE_BYTES:
        inside.fill(WATCH.stain)
    return inside


def guarded_empty(shape: Any, dtype: Any) -> Array:
    """What `numpy.empty` gives, with a guard."""
    dtype, shape = np.dtype(dtype), tuple(np.atleast_1d(np.asarray(shape, object)))
    size = math.prod(shape) * dtype.itemsize
    if dtype.hasobject or min(shape, default=0) < 0 or size > _MOST_BYTES:
        return np.empty(shape, dtype)
    whole: Array = guarded_bytes(size, math.gcd(dtype.itemsize, 16)).view(dtype)
    return whole.reshape(shape)


def guarded_copy(array: Array, align: int = 1) -> Array:
    """A copy that can be read alone, and only where it is."""
    if array.dtype.hasobject or not array.size:
        return array
    memory = guarded_bytes(array.nbytes, math.lcm(align, math.gcd(array.itemsize, 16)))
    copy = memory.view(array.dtype).reshape(array.shape)
    copy[...] = array
    first = copy.ctypes.data // PAGE * PAGE
    _protect(first, -(-(copy.ctypes.data + copy.nbytes - first) // PAGE) * PAGE, mmap.PROT_READ)
    return copy


@dataclass
class _Layouts:
    """Arenas as planned: by total size, the pages between tensors and the bytes around them."""

    by_size: dict[int, tuple[list[int], list[tuple[int, int]]]] = field(default_factory=dict)

    def plan(self, sizes: Sequence[int], lives: Sequence[tuple[int, int]]) -> tuple[list[int], int]:
        """Like `plan_arena`, but every tensor has pages of its own."""
        if not any(sizes):
            return plan_arena(sizes, lives)
        if min(sizes) < 0:
            raise Overrun(f"an arena of negative size: {sizes}")
        offsets, guards, slack, at = [], [0], [], PAGE
        for size in sizes:
            room = max(1, -(-size // PAGE)) * PAGE
            start = 0 if next(_turn) % 2 else (room - size) // _ALIGN * _ALIGN
            offsets.append(at + start)
            slack += [(at, at + start), (at + start + size, at + room)]
            guards.append(at + room)
            at += room + PAGE
        while self.by_size.setdefault(at, (guards, slack)) != (guards, slack):
            at += PAGE
        return offsets, at


_layouts = _Layouts()


class GuardedArena(bound.Arena):
    """An arena whose tensors have guards between them; made anew for each run, for its size fits no other."""

    __slots__ = ()

    def __init__(self, size: int) -> None:
        guards, slack = _layouts.by_size[size]
        _, pages = _pages(size)
        self.memory, self.size, self.address = pages, -1, pages.ctypes.data
        if size <= _LITTLE_BYTES:
            pages.fill(WATCH.stain)
        WATCH.add(*(pages[begin:end] for begin, end in slack))
        for offset in guards:
            _forbid(self.address + offset)


def _moved(weights: Weights) -> Weights:
    for number in range(len(weights)):
        array = weights[number]
        if not array.dtype.hasobject and array.size:
            weights._arrays[number] = copy = guarded_copy(array, _ALIGN)
            weights.addresses[number] = copy.ctypes.data
    return weights


def _guarded_weights() -> None:
    make, mapped = Weights.__init__, Weights.mapped.__func__  # type: ignore[attr-defined]

    def init(self: Weights, constants: Sequence[Constant]) -> None:
        make(self, constants)
        _moved(self)

    Weights.__init__ = init  # type: ignore[method-assign]
    Weights.mapped = classmethod(lambda *args: _moved(mapped(*args)))  # type: ignore[assignment, method-assign]


def _guarded_host_results() -> None:
    host = Runner.host

    def run(self: Runner, step: HostStep | ClosingStep, args: Sequence[Any], symbols: Any) -> Any:
        result = host(self, step, args, symbols)
        if isinstance(step, ClosingStep):
            return result
        moved = [
            guarded_copy(r) if isinstance(r, np.ndarray) else r for r in (result if step.many else [result])
        ]
        return moved if step.many else moved[0]

    Runner.host = run  # type: ignore[method-assign]


def _fresh_scratch() -> None:
    """Scratch memory exactly as large as asked for."""
    run = Team.run

    def fresh(self: Team, launch: Launch) -> Failure | None:
        self._station.scratch_bytes = self._crew.scratch_bytes = 0
        return run(self, launch)

    Team.run = fresh  # type: ignore[method-assign]


def begin() -> None:
    """Forget the buffers and arenas of earlier cases."""
    WATCH.slack.clear()
    WATCH.stain = STAINS[0]
    _layouts.by_size.clear()


def install() -> None:
    """Put the buffers of the engine between guards, for the rest of the life of this process."""
    places: dict[Any, dict[str, Any]] = {
        allocate: {"empty": guarded_empty, "aligned_bytes": guarded_bytes},
        bound: {"plan_arena": _layouts.plan, "Arena": GuardedArena},
    }
    for module, functions in places.items():
        vars(module).update(functions)
    _guarded_weights()
    _guarded_host_results()
    _fresh_scratch()
