"""Matrix registers: rows of numbers, which one instruction of a target multiplies and adds.

Decides how instructions on them are written: with numbers of registers, so that LLVM neither moves nor spills
any of them. Must not know tensors or kernels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sardonyx.base.instruction import MatrixMultiply
from sardonyx.llvm.types import vector_of
from sardonyx.llvm.vec import Function, V, int_


def configure(
    f: Function,
    of: MatrixMultiply,
    rows: Mapping[int, V] | None = None,
    row_bytes: Mapping[int, V] | None = None,
) -> None:
    """Take all registers into use, those told of with so many rows, or rows of so many bytes.

    They are zero afterwards.
    """
    table = f.module.table(f"rows_of_{of.name}", "i8", [int_(b, "i8") for b in of.configuration])
    if rows is None and row_bytes is None:
        _call(f, of.configure, (), table)
        return
    words = f.alloca("i64", len(of.configuration) // 8)
    for word in range(len(of.configuration) // 8):
        f.store(f.load(f.gep(table, int_(word), "i64"), "i64"), f.gep(words, int_(word), "i64"), 8)
    for register, count in (rows or {}).items():
        f.store(f.convert("trunc", count, "i8"), f.gep(words, int_(of.rows_at + register), "i8"), 1)
    for register, size in (row_bytes or {}).items():
        f.store(f.convert("trunc", size, "i16"), f.gep(words, int_(of.row_bytes_at + 2 * register), "i8"), 1)
    _call(f, of.configure, (), words)


def release(f: Function, of: MatrixMultiply) -> None:
    """Give all registers back: a switch of threads need not save them any more."""
    _call(f, of.release, ())


def zero(f: Function, of: MatrixMultiply, register: int) -> None:
    """Set a register to zero."""
    _call(f, of.zero, (register,))


def load(f: Function, of: MatrixMultiply, register: int, address: V, stride: V) -> None:
    """Load rows that are `stride` bytes apart."""
    _call(f, of.load, (register,), address, stride)


def store(f: Function, of: MatrixMultiply, register: int, address: V, stride: V) -> None:
    """Store rows `stride` bytes apart."""
    _call(f, of.store, (register,), address, stride)


def add_product(f: Function, of: MatrixMultiply, sums: int, a: int, b: int) -> None:
    """sums += a @ b: row r of `a` holds steps of k, row s of `b` the numbers of step s of each column."""
    _call(f, of.multiply, (sums, a, b))


def stay_awake(f: Function, lanes: int) -> None:
    """Add vectors of floats, which changes nothing.

    Registers are stored through the units that do it. Where nothing has used them for about 2000 cycles, a
    core switches them off, and the next store waits 800 cycles.
    """
    vector = vector_of("float", lanes)
    zeros = f.value(vector, f'call {vector} asm sideeffect "", "=v,0"({int_(0, vector)})')
    f.line(f'call void asm sideeffect "", "v"({f.binary("fadd", zeros, zeros)})')


def _call(f: Function, intrinsic: str, registers: Sequence[int], *operands: V) -> None:
    arguments = [*(int_(n, "i8") for n in registers), *operands]
    types = [*("i8 immarg" for _ in registers), *(v.type for v in operands)]
    f.module.declare(intrinsic, "void", types)
    f.line(f"call void @{intrinsic}({', '.join(map(str, arguments))})")
