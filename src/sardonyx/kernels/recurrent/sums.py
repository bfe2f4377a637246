"""Register tiles of a recurrence: the state of some rows times all gates of a group of units.

Decides the layout of the recurrent weights, registers and unrolling; must not know what gates mean.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from sardonyx.base.dataclass import dataclass
from sardonyx.base.instruction import MultiplyAdd
from sardonyx.base.policy import Goal
from sardonyx.kernels.product.pack import aligned_zeros
from sardonyx.kernels.recurrent.short import FLOATS, OPERAND, VECTORS, shortened, widened
from sardonyx.kernels.tiles.shape import SUM_TYPES, vector_lanes
from sardonyx.llvm.products import add_products, add_steps
from sardonyx.llvm.types import size_of, vector_of
from sardonyx.llvm.vec import Function, Module, V, int_

UNROLL = 4
"""Rows of a packed panel are padded to a multiple of this."""

_FEW_SUMS = 8
"""So many independent sums hide the latency of an FMA."""

_MOST_ROWS = 6


@dataclass(frozen=True, slots=True)
class Panel:
    """The weights of `units` blocks of `lanes` units, `gates` vectors each: [row][block][gate][lane].

    With a `depth` above 1 the lanes of dtype i32 hold that many 8- or 16-bit weights of neighbouring rows.
    `in_order` panels are summed row by row, others in as many parts as hide the latency of the additions.
    `short` ones hold UNROLL rows in three quarters of the vectors.
    """

    dtype: str
    lanes: int
    registers: int
    units: int
    gates: int
    depth: int
    instruction: MultiplyAdd
    in_order: bool
    short: bool

    @staticmethod
    def of(goal: Goal, operand: str, units: int, gates: int) -> Panel:
        """The panel for a target's vectors and what multiplies those operands."""
        row = goal.tile(operand)
        dtype = SUM_TYPES[row.accumulator]
        lanes, registers = vector_lanes(goal.target, dtype), 2 * goal.target.lanes
        facts = row.k_step, row.instruction, goal.policy.fixed_order, operand == OPERAND
        return Panel(dtype, lanes, registers, units, gates, *facts)

    @property
    def vectors(self) -> int:
        """Vectors of one row."""
        return self.units * self.gates

    @property
    def vector(self) -> str:
        """The LLVM type of one vector."""
        return vector_of(self.dtype, self.lanes)

    @property
    def vector_bytes(self) -> int:
        """Bytes of one vector."""
        return self.lanes * size_of(self.dtype)

    @property
    def row_bytes(self) -> int:
        """Bytes of one row of sums."""
        return self.vectors * self.vector_bytes

    @property
    def weight_bytes(self) -> int:
        """Bytes of one row of weights."""
        return self.row_bytes * VECTORS // FLOATS if self.short else self.row_bytes

    @property
    def max_rows(self) -> int:
        """Rows of state whose sums fit into registers beside a row of weights and the broadcast states."""
        return min(_MOST_ROWS, max(1, (self.registers - self.vectors) // (self.vectors + 1)))

    def pack(self, r: np.ndarray) -> np.ndarray:
        """Lay out r[D, K, gates, H] as [D, groups, rows, units, gates, lanes, depth], zero padded.

        What is short is one axis of dwords.
        """
        directions, inner, gates, size = r.shape
        width = self.units * self.lanes
        groups, rows = -(-size // width), -(-inner // (UNROLL * self.depth)) * UNROLL
        whole = np.zeros((directions, rows * self.depth, gates, groups * width), r.dtype)
        whole[:, :inner, :, :size] = r
        parts = whole.reshape(directions, rows, self.depth, gates, groups, self.units, self.lanes)
        ordered = parts.transpose(0, 4, 1, 5, 3, 6, 2)
        packed = aligned_zeros(ordered.shape, r.dtype)
        packed[...] = ordered
        return shortened(packed, self.lanes) if self.short else packed


def define_sums(module: Module, panel: Panel, rows: int) -> V:
    """Add `void @name(ptr state, i64 row_bytes, ptr panel, i64 k, ptr tile)` once; returns its address.

    tile[r][v] = sum over k of state[r * row_bytes][k] * panel[k][v] for all vectors v of the panel; k is a
    multiple of UNROLL, panel and tile are aligned to vectors.
    """
    short = "short_" if panel.short else ""
    name = f"recurrent_{short}{panel.dtype}_{rows}x{panel.vectors}x{panel.depth}"
    if not module.has(name):
        _write_sums(module, name, panel, rows)
    return V(f"@{name}", "ptr")


def _write_sums(module: Module, name: str, panel: Panel, rows: int) -> None:
    params = [("state", "ptr"), ("row_bytes", "i64"), ("panel", "ptr"), ("k", "i64"), ("tile", "ptr")]
    f = Function(module, name, params, internal=True, attributes="nounwind noinline")
    state, row_bytes, weights, k, tile = f.params
    count = rows * panel.vectors
    few = count < _FEW_SUMS and not panel.in_order
    phases = 1 if not few else 2 if 2 * count >= _FEW_SUMS else 4
    rows_at = [f.gep(state, f.mul(row_bytes, int_(r)), "i8") for r in range(rows)]
    zeros = [V("zeroinitializer", panel.vector)] * (count * phases)
    with f.loop(int_(0), k, UNROLL, [weights, *zeros]) as loop:
        at, *sums = loop.carried
        here = [f.gep(row, loop.index, panel.dtype) for row in rows_at]
        columns = _columns(f, panel, at)
        together = panel.instruction.steps
        for turn in range(UNROLL // together):
            part = slice(turn % phases * count, (turn % phases + 1) * count)
            if together == 1:
                sums[part] = _step(f, panel, here, columns, turn, sums[part])
            else:
                steps = range(turn * together, (turn + 1) * together)
                sums[part] = _steps_together(f, panel, here, at, steps, sums[part])
        loop.next(f.gep(at, int_(UNROLL * panel.weight_bytes), "i8"), *sums)
    sums = loop.carried[1:]
    add = "fadd" if panel.depth == 1 else "add"
    while len(sums) > count:
        half = len(sums) // 2
        sums = [f.binary(add, a, b) for a, b in zip(sums[:half], sums[half:], strict=True)]
    for index, total in enumerate(sums):
        f.store(total, f.gep(tile, int_(index * panel.vector_bytes), "i8"), panel.vector_bytes)
    f.ret()
    f.finish()


def _columns(f: Function, panel: Panel, weights: V) -> Iterator[V]:
    """The vectors of UNROLL rows, one after the other."""
    size = panel.vector_bytes * (VECTORS if panel.short else 1)
    for offset in range(0, UNROLL * panel.weight_bytes, size):
        at = f.gep(weights, int_(offset), "i8")
        if panel.short:
            yield from widened(f, at, panel.lanes)
        else:
            yield f.load(at, panel.vector, panel.vector_bytes)


def _step(
    f: Function, panel: Panel, rows: Sequence[V], weights: Iterator[V], step: int, sums: Sequence[V]
) -> list[V]:
    columns = [next(weights) for _ in range(panel.vectors)]
    states = [f.load(f.gep(row, int_(step), panel.dtype), panel.dtype) for row in rows]
    broadcast = [f.splat(state, panel.lanes) for state in states]
    after = list(sums)
    # Additions of integers stay in this order, in which a column is needed by one row after the other.
    for v, column in enumerate(columns):
        for row, h in enumerate(broadcast):
            at = row * panel.vectors + v
            after[at] = add_products(f, sums[at], h, column, panel.instruction)
    return after


def _steps_together(
    f: Function, panel: Panel, rows: Sequence[V], weights: V, steps: range, sums: Sequence[V]
) -> list[V]:
    """The same for steps that are added before they are widened.

    Beside what is broadcast of them no register is left that keeps a column: each row reads its own, behind
    the additions of the row before it.
    """
    after = list(sums)
    for row, state in enumerate(rows):
        source = f.value("ptr", f'call ptr asm sideeffect "", "=r,0"({weights})')
        states = [f.load(f.gep(state, int_(step), panel.dtype), panel.dtype) for step in steps]
        broadcast = [f.splat(value, panel.lanes) for value in states]
        for v in range(panel.vectors):
            offsets = [step * panel.row_bytes + v * panel.vector_bytes for step in steps]
            columns = [
                f.load(f.gep(source, int_(n), "i8"), panel.vector, panel.vector_bytes) for n in offsets
            ]
            at, pairs = row * panel.vectors + v, list(zip(broadcast, columns, strict=True))
            after[at] = add_steps(f, sums[at], pairs, panel.instruction)
    return after
