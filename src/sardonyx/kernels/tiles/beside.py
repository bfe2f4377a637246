"""Micro-kernels for a vector of few columns, of which each has several steps of k side by side in its lanes.

A step multiplies as many elements of each row as a column has lanes, and the lanes of a column are added
behind all steps. Decides how lanes are shared out; must not know matrices, samples, threads or epilogues.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from sardonyx.base.dataclass import dataclass
from sardonyx.base.policy import Goal
from sardonyx.kernels.tiles.microkernel import MicroKernel, Writer, added
from sardonyx.kernels.tiles.shape import TileShape
from sardonyx.llvm.products import add_steps
from sardonyx.llvm.types import vector_of
from sardonyx.llvm.vec import Function, Module, V, int_

_LEAST_SAVED = 0.1
"""Of what all vectors of columns multiply: kernels of less are not worth their compilation."""


@dataclass(frozen=True, slots=True)
class BesideKernel(MicroKernel):
    """A register tile of one vector whose columns have `together` lanes each, a power of two."""

    together: int = 2

    @property
    def name(self) -> str:
        """The symbol of the function."""
        return f"beside{self.together}_{self.shape.name}_{self.rows}"


def lanes_of(columns: int, lanes: int) -> int:
    """How many lanes of a vector each of a few columns has; 1 if they fill more than half of it."""
    together = lanes
    while together > 1 and together * columns > lanes:
        together //= 2
    return together


def lanes_that_save(columns: int, few: int, lanes: int) -> int:
    """How many lanes the last few of so many columns have; 1 where more would save less than a tenth."""
    together = lanes_of(few, lanes) if few else 1
    return together if (1 - 1 / together) / -(-columns // lanes) >= _LEAST_SAVED else 1


def pack_beside(steps: np.ndarray, entries: Iterable[int], together: int, lanes: int) -> np.ndarray:
    """Lay out steps[..., K, N] of a few columns as [..., vectors][column][together], zero padded.

    `entries` are the lengths that K is cut into, each of which begins with a vector of its own. The result
    has the size that one vector a step of k would have.
    """
    *batch, k, n = steps.shape
    packed = np.zeros((*batch, k, lanes // together, together), steps.dtype)
    at = vector = 0
    for length in entries:
        for begin in range(0, length, together):
            count = min(together, length - begin)
            part = steps[..., at + begin : at + begin + count, :]
            packed[..., vector, :n, :count] = part.swapaxes(-1, -2)
            vector += 1
        at += length
    return packed.reshape(*batch, k * lanes)


def unread_bytes(steps: int, together: int, shape: TileShape) -> int:
    """Bytes that `pack_beside` leaves behind the vectors of so many steps."""
    return (steps - -(-steps // together)) * shape.lanes * shape.element


def define(module: Module, kernel: BesideKernel) -> str:
    """Add a function as that of `microkernel.define` once; returns the name.

    b holds what `pack_beside` makes of the steps of all entries. Nothing is prefetched. Lanes of the tile
    behind those of columns are 0, before they are finished.
    """
    if not module.has(kernel.name):
        writer = _Writer(module, kernel)
        writer.f.finish_later(writer.write)
    return kernel.name


def pick_name(operand: str, together: int) -> str:
    """The symbol of what picks a micro-kernel."""
    return f"sdx_pick_beside{together}_{operand}"


def define_beside(module: Module, goal: Goal, together: int) -> None:
    """Add `ptr @{pick_name}(i64 rows, i1, i1)` as `define_pick` does, and its micro-kernels, of floats."""
    shape = TileShape.of(goal, "f32")
    params = [("rows", "i64"), ("narrow", "i1"), ("few", "i1")]
    f = Function(module, pick_name(shape.operand, together), params, "ptr", attributes="nounwind noinline")
    picked = V("null", "ptr")
    for count in range(1, shape.max_rows + 1):
        kernel = V(f"@{define(module, BesideKernel(shape, count, 1, together=together))}", "ptr")
        picked = f.select(f.icmp("eq", f.params[0], int_(count)), kernel, picked)
    f.ret(picked)
    f.finish()


class _Writer(Writer):
    """Writes one micro-kernel."""

    kernel: BesideKernel

    def _entry(self, steps: V, a: V, b: V, ahead: V, sums: Sequence[V]) -> tuple[V, V, list[V]]:
        f, count = self.f, self.kernel.together
        whole = f.binary("and", steps, int_(-count))
        a, b, sums = self._vectors((int_(0), whole), a, b, sums, None)
        mask = f.tail_mask(f.sub(steps, whole), count)
        _, b, sums = self._vectors((whole, steps), a, b, sums, mask)
        return b, ahead, sums

    def _vectors(
        self, bounds: tuple[V, V], a: V, b: V, sums: Sequence[V], mask: V | None
    ) -> tuple[V, V, list[V]]:
        """Add vectors of B times as many elements of each row, or those of the mask alone."""
        f, shape, count = self.f, self.shape, self.kernel.together
        type_ = vector_of(shape.dtype, count)
        with f.loop(*bounds, count, [a, b, *sums]) as loop:
            bases = self._bases(loop.carried[0])
            column = self._column(loop.carried[1], 0)
            added_up = []
            for row, total in enumerate(loop.carried[2:]):
                at = self._row(bases, row)
                x = f.masked_load(at, type_, mask) if mask else f.load(at, type_, shape.element)
                repeated = f.shuffle(x, x, [n % count for n in range(shape.lanes)])
                added_up.append(add_steps(f, total, [(repeated, column)], shape.instruction))
            following = f.gep(loop.carried[1], int_(self.vector_bytes), "i8")
            loop.next(f.gep(bases[0], int_(count * shape.element), "i8"), following, *added_up)
        a, b, *sums = loop.carried
        return a, b, sums

    def _joined(self, sums: Sequence[V]) -> list[V]:
        """The sums of the lanes of each column, column by column, and zeros behind them."""
        f, lanes, count = self.f, self.shape.lanes, self.kernel.together
        found = list(sums)
        apart = count // 2
        while apart:
            order = [n ^ apart for n in range(lanes)]
            found = [added(f, total, f.shuffle(total, total, order)) for total in found]
            apart //= 2
        columns = lanes // count
        order = [n * count if n < columns else lanes for n in range(lanes)]
        return [f.shuffle(total, int_(0, self.type), order) for total in found]
