"""Inverses of matrices by Gauss-Jordan elimination with row exchanges, in double precision."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from sardonyx.base.dtype import DType
from sardonyx.base.policy import Goal
from sardonyx.base.target import Target
from sardonyx.ir.group import Group
from sardonyx.ir.place import Place
from sardonyx.kernels.call import NativeCall
from sardonyx.kernels.numeric.elimination import Elimination, elimination_call
from sardonyx.kernels.share import split
from sardonyx.llvm.vec import Module, V, float_, int_


def inverse_calls(
    group: Group, places: Mapping[int, Place], goal: Goal
) -> Iterator[tuple[NativeCall, Mapping[str, Callable[[], str]]]]:
    """The call for all matrices; each is reduced beside the identity in a thread's scratch."""
    target = goal.target
    yield elimination_call(group, places, 2, lambda symbol, dtype: inverse_ir(symbol, dtype, target))


def inverse_ir(symbol: str, dtype: DType, target: Target) -> str:
    """The module with `void @symbol(ptr args, ptr ctx)`."""
    module = Module()
    _Writer(module, symbol, dtype, target, 2).write()
    return module.text()


class _Writer(Elimination):
    """Writes the kernel."""

    def write(self) -> None:
        """Add the function to its module."""
        f, matrix = self.f, self.matrix
        elements = f.mul(self.size, self.size)
        with f.loop(*split(f, self.count, self.tid, self.threads)) as number:
            first = f.mul(number.index, elements)
            self._fill(first)
            with f.loop(int_(0), self.size) as step:
                matrix.exchange(step.index)
                matrix.eliminate(step.index, int_(0), step.index)
                matrix.eliminate(step.index, f.add(step.index, int_(1)), self.size)
            self._divide(first)
        f.ret()
        f.finish()

    def _fill(self, first: V) -> None:
        """The matrix, and the identity to its right."""
        f, matrix = self.f, self.matrix
        with f.loop(int_(0), self.size) as row, f.loop(int_(0), self.size) as column:
            index = f.add(first, f.add(f.mul(row.index, self.size), column.index))
            f.store(self.access.load_double(self.x, index), matrix.at(row.index, column.index))
            one = f.icmp("eq", row.index, column.index)
            value = f.select(one, float_(1.0, "double"), float_(0.0, "double"))
            f.store(value, matrix.at(row.index, f.add(column.index, self.size)))

    def _divide(self, first: V) -> None:
        """Store the right half, each row divided by its pivot."""
        f, matrix = self.f, self.matrix
        with f.loop(int_(0), self.size) as row, f.loop(int_(0), self.size) as column:
            value = matrix.load(row.index, f.add(column.index, self.size))
            quotient = f.binary("fdiv", value, matrix.load(row.index, row.index))
            index = f.add(first, f.add(f.mul(row.index, self.size), column.index))
            self.access.store_double(quotient, self.y, index)
