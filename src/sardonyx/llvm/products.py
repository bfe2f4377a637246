"""Integer dot products of short runs inside vectors: the instructions of each machine.

Decides which instruction multiplies; must not know tensors or kernels.
"""

from __future__ import annotations

from sardonyx.base.target import Target
from sardonyx.llvm.vec import Function, V


def depth_of(target: Target) -> int:
    """How many products one 32-bit lane sums at once: 4 of bytes, or 2 of 16-bit integers."""
    return 4 if target.has("avx512vnni" if target.lanes == 16 else "avxvnni") else 2


def add_products(f: Function, total: V, a: V, b: V, depth: int) -> V:
    """total + a . b in each i32 lane, exactly.

    The i32 lanes of `a` and `b` hold `depth` numbers: 4 unsigned bytes in a and 4 signed ones in b, or 2
    signed 16-bit ones in both.
    """
    bits = 32 * total.lanes
    if depth == 4:
        packed = f"<{bits // 8} x i8>"
        name = f"llvm.x86.avx512.vpdpbusd.{bits}"
        return f.call(name, total.type, total, f.bitcast(a, packed), f.bitcast(b, packed))
    packed = f"<{bits // 16} x i16>"
    name = "llvm.x86.avx512.pmaddw.d.512" if bits == 512 else "llvm.x86.avx2.pmadd.wd"
    return f.binary("add", total, f.call(name, total.type, f.bitcast(a, packed), f.bitcast(b, packed)))
