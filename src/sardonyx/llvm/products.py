"""Sums of products inside vectors, by an instruction of a target. Must not know tensors or kernels."""

from __future__ import annotations

from collections.abc import Sequence

from sardonyx.base.instruction import MultiplyAdd
from sardonyx.llvm.types import vector_of
from sardonyx.llvm.vec import Function, V, int_


def add_products(f: Function, total: V, a: V, b: V, instruction: MultiplyAdd) -> V:
    """total + a . b in each lane of total; a lane of a and b holds one or more numbers."""
    return add_steps(f, total, [(a, b)], instruction)


def add_steps(f: Function, total: V, pairs: Sequence[tuple[V, V]], instruction: MultiplyAdd) -> V:
    """The same for the pairs of one step, or of as many as are added before they are widened."""
    if not instruction.intrinsic:
        ((a, b),) = pairs
        return f.fma(a, b, total)
    operands = [[f.bitcast(x, instruction.operands) for x in pair] for pair in pairs]
    if not instruction.sum_register:
        return f.call(instruction.intrinsic, total.type, total, *operands[0])
    if not instruction.widen:
        products = f.call(instruction.intrinsic, total.type, *operands[0])
        return _in_order(f, f.binary("add", total, products), instruction.sum_register)
    halves = vector_of("i16", 2 * total.lanes)
    first, *others = (f.call(instruction.intrinsic, halves, *pair) for pair in operands)
    for other in others:
        first = f.binary("add", first, other)
    widened = f.call(instruction.widen, total.type, first, int_(1, halves))
    return _in_order(f, f.binary("add", total, widened), instruction.sum_register)


def _in_order(f: Function, total: V, register: str) -> V:
    """The same sum, opaque to LLVM, which otherwise adds products first, or collects them, and spills."""
    return f.value(total.type, f'call {total.type} asm sideeffect "", "={register},0"({total})')
