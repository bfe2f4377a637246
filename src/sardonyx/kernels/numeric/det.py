"""Determinants of matrices by elimination with row exchanges, in double precision."""

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
from sardonyx.llvm.vec import Module, float_, int_


def det_calls(
    group: Group, places: Mapping[int, Place], goal: Goal
) -> Iterator[tuple[NativeCall, Mapping[str, Callable[[], str]]]]:
    """The call for all matrices; each is eliminated in a thread's scratch."""
    target = goal.target
    yield elimination_call(group, places, 1, lambda symbol, dtype: det_ir(symbol, dtype, target))


def det_ir(symbol: str, dtype: DType, target: Target) -> str:
    """The module with `void @symbol(ptr args, ptr ctx)`."""
    module = Module()
    _Writer(module, symbol, dtype, target, 1).write()
    return module.text()


class _Writer(Elimination):
    """Writes the kernel."""

    def write(self) -> None:
        """Add the function to its module."""
        f, matrix = self.f, self.matrix
        elements = f.mul(self.size, self.size)
        with f.loop(*split(f, self.count, self.tid, self.threads)) as number:
            first = f.mul(number.index, elements)
            with f.loop(int_(0), elements) as loop:
                value = self.access.load_double(self.x, f.add(first, loop.index))
                f.store(value, f.gep(matrix.base, loop.index, "double"))
            with f.loop(int_(0), self.size, 1, [float_(1.0, "double")]) as step:
                pivot = matrix.exchange(step.index)
                below = f.add(step.index, int_(1))
                matrix.eliminate(step.index, below, f.select(matrix.is_regular(step.index), self.size, below))
                step.next(f.binary("fmul", step.carried[0], pivot))
            self.access.store_double(step.carried[0], self.y, number.index)
        f.ret()
        f.finish()
