"""Sums of products inside vectors, by an instruction of a target. Must not know tensors or kernels."""

from __future__ import annotations

from sardonyx.base.instruction import MultiplyAdd
from sardonyx.llvm.vec import Function, V


def add_products(f: Function, total: V, a: V, b: V, instruction: MultiplyAdd) -> V:
    """total + a . b in each lane of total; a lane of a and b holds one or more numbers."""
    if not instruction.intrinsic:
        return f.fma(a, b, total)
    operands = (f.bitcast(x, instruction.operands) for x in (a, b))
    if not instruction.sum_register:
        return f.call(instruction.intrinsic, total.type, total, *operands)
    products = f.call(instruction.intrinsic, total.type, *operands)
    return _in_order(f, f.binary("add", total, products), instruction.sum_register)


def _in_order(f: Function, total: V, register: str) -> V:
    """The same sum, opaque to LLVM, which otherwise adds products first, or collects them, and spills."""
    return f.value(total.type, f'call {total.type} asm sideeffect "", "={register},0"({total})')
