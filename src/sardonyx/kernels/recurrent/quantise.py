"""The state of a quantised recurrence as small integers: one step size and origin for a whole direction.

Decides where the integers are in a thread's scratch; must not know weights, gates or threads.
"""

from __future__ import annotations

from sardonyx.base import dim as dims
from sardonyx.base.dim import Dim
from sardonyx.base.policy import Goal
from sardonyx.kernels.recurrent.layer import Layer, Memory, Word
from sardonyx.kernels.share import ceil_div, round_up
from sardonyx.llvm.lanes import Lanes
from sardonyx.llvm.types import mangle, vector_of
from sardonyx.llvm.vec import Function, Module, V, int_

_HEADER_BYTES = 64
_PITCH_UNITS = 16
_MOST_BYTES = 2


def scratch_bytes(batch: Dim, units: Dim) -> Dim:
    """Bytes of scratch for the integers of all rows."""
    pitch = dims.floordiv(units + (_PITCH_UNITS - 1), _PITCH_UNITS) * (_PITCH_UNITS * _MOST_BYTES)
    return batch * (pitch + 4) + (2 * _HEADER_BYTES + 64)


class Points:
    """The integers of a direction's rows in scratch: step and origin, the sum of each row, the rows."""

    def __init__(self, memory: Memory, scratch: V) -> None:
        f = self.f = memory.f
        self.scratch = scratch
        self.bytes = 4 // memory.panel.depth
        units = f.mul(ceil_div(f, memory.word[Word.UNITS], int_(_PITCH_UNITS)), int_(_PITCH_UNITS))
        self.row_bytes = f.mul(units, int_(self.bytes))
        sums = round_up(f, f.mul(memory.word[Word.BATCH], int_(4)), 64)
        self._rows = f.gep(scratch, f.add(sums, int_(_HEADER_BYTES)), "i8")

    def row(self, row: V) -> V:
        """Where the integers of a row are."""
        return self.f.gep(self._rows, self.f.mul(row, self.row_bytes), "i8")

    def sum_at(self, row: V) -> V:
        """Where the i32 sum of a row's integers is."""
        return self.f.gep(self.f.gep(self.scratch, int_(_HEADER_BYTES), "i8"), row, "i32")

    def origin_at(self) -> V:
        """Where the integer of zero is, i32."""
        return self.f.gep(self.scratch, int_(4), "i8")


def define_quantise(module: Module, layer: Layer, goal: Goal) -> str:
    """Add `void @name(ptr args, ptr scratch, i64 d, i64 step, i64 row0, i64 row1)`; returns its name.

    The range is that of all rows of h and zero; the integers are 0 to 255.
    """
    name = f"{layer.symbol}_quantise"
    params = [("args", "ptr"), ("scratch", "ptr"), *((n, "i64") for n in ("d", "step", "row0", "row1"))]
    f = Function(module, name, params, internal=True, attributes="nounwind noinline")
    args, scratch, direction, step, row0, row1 = f.params
    memory = Memory(f, layer, goal, args)
    points = Points(memory, scratch)
    slab = f.binary("and", step, int_(1))
    with f.when(f.icmp("slt", row0, row1)):
        size, origin = _range(f, memory, memory.state(slab, direction, int_(0)))
        f.store(size.v, scratch)
        f.store(f.convert("fptosi", origin.v, "i32"), points.origin_at())
        wide = Lanes(f, f.splat(size.v, memory.lanes)), Lanes(f, f.splat(origin.v, memory.lanes))
        with f.loop(row0, row1) as row:
            _row(memory, points, row.index, memory.state(slab, direction, row.index), *wide)
    f.ret()
    f.finish()
    return name


def _range(f: Function, memory: Memory, h: V) -> tuple[Lanes, Lanes]:
    """The step size and the integer of zero for all rows, both as floats."""
    count = f.mul(memory.word[Word.BATCH], memory.pitch)
    zero = V("zeroinitializer", memory.vector)
    with f.loop(int_(0), count, memory.lanes, [zero, zero]) as loop:
        x = memory.load_state(h, loop.index)
        low, high = (Lanes(f, v) for v in loop.carried)
        loop.next((x < low).choose(x, low).v, (x > high).choose(x, high).v)
    low_v, high_v = loop.carried
    suffix = mangle(memory.vector)
    low = Lanes(f, f.call(f"llvm.vector.reduce.fmin.{suffix}", "float", low_v))
    high = Lanes(f, f.call(f"llvm.vector.reduce.fmax.{suffix}", "float", high_v))
    some = high > low
    size = some.choose((high - low) / 255.0, 1.0)
    return size, (-low / size).round().at_least(0.0).at_most(255.0)


def _row(memory: Memory, points: Points, row: V, h: V, size: Lanes, origin: Lanes) -> None:
    f, lanes = memory.f, memory.lanes
    narrow = f"i{8 * points.bytes}"
    to = points.row(row)
    none = V("zeroinitializer", vector_of("i32", lanes))
    with f.loop(int_(0), memory.word[Word.UNITS], lanes, [none]) as loop:
        x = memory.load_state(h, loop.index)
        rounded = ((x / size).round() + origin).at_most(255.0)
        whole = f.convert("fptosi", (rounded > 0.0).choose(rounded, 0.0).v, "i32")
        f.store(f.convert("trunc", whole, narrow), f.gep(to, loop.index, narrow))
        loop.next(f.binary("add", loop.carried[0], f.select(memory.mask(loop.index), whole, none)))
    name = f"llvm.vector.reduce.add.{mangle(none.type)}"
    f.store(f.call(name, "i32", loop.carried[0]), points.sum_at(row))
