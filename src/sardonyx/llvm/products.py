"""Sums of products inside vectors: what each instruction multiplies and how it is written.

Decides which instruction multiplies; must not know tensors or kernels.
"""

from __future__ import annotations

from collections.abc import Callable

from sardonyx.base.target import Target
from sardonyx.llvm.vec import Function, V

AddProducts = Callable[[Function, V, V, V], V]
"""(f, total, a, b) -> total + a . b in each lane of total."""


def depth_of(target: Target) -> int:
    """How many products one 32-bit lane sums at once: 4 of bytes, or 2 of 16-bit integers."""
    return 4 if target.has("avx512vnni" if target.lanes == 16 else "avxvnni") else 2


def add_products(f: Function, total: V, a: V, b: V, depth: int) -> V:
    """total + a . b in each i32 lane, exactly.

    The i32 lanes of `a` and `b` hold `depth` numbers: 4 unsigned bytes in a and 4 signed ones in b, or 2
    signed 16-bit ones in both.
    """
    return WRITERS["vpdpbusd" if depth == 4 else "vpmaddwd"](f, total, a, b)


def _bytes(f: Function, total: V, a: V, b: V) -> V:
    """Four products of bytes, added to an i32 sum."""
    bits = 32 * total.lanes
    packed = f"<{bits // 8} x i8>"
    name = f"llvm.x86.avx512.vpdpbusd.{bits}"
    return f.call(name, total.type, total, f.bitcast(a, packed), f.bitcast(b, packed))


def _pairs(f: Function, total: V, a: V, b: V) -> V:
    """Two products of 16 bits, added to an i32 sum by a second instruction.

    What does both, vpdpwssd, takes twice as long on Ice Lake.
    """
    bits = 32 * total.lanes
    packed = f"<{bits // 16} x i16>"
    name = "llvm.x86.avx512.pmaddw.d.512" if bits == 512 else "llvm.x86.avx2.pmadd.wd"
    products = f.call(name, total.type, f.bitcast(a, packed), f.bitcast(b, packed))
    return _in_order(f, f.binary("add", total, products))


def _in_order(f: Function, total: V) -> V:
    """The same sum, opaque to LLVM, which otherwise adds products first, or collects them, and spills."""
    register = "v" if total.lanes == 16 else "x"
    return f.value(total.type, f'call {total.type} asm sideeffect "", "={register},0"({total})')


WRITERS: dict[str, AddProducts] = {
    "vfmadd": lambda f, total, a, b: f.fma(a, b, total),
    "vpdpbusd": _bytes,
    "vpmaddwd": _pairs,
}
"""By mnemonic; operands and sums are vectors of lanes of the sum's type, which hold one or more numbers."""
