"""Weights of few bits, with a scale and a zero point each block of k: their layout, and how they are floats.

A panel is made of them in scratch when it is needed. Must not know graphs or what follows the product.
"""

from __future__ import annotations

import numpy as np

from sardonyx.base import dtype as dt
from sardonyx.base.policy import Goal
from sardonyx.ir.algorithms.blockwise import levels
from sardonyx.kernels.product.pack import aligned_zeros
from sardonyx.kernels.tiles.shape import TileShape
from sardonyx.llvm.types import vector_of
from sardonyx.llvm.vec import Function, Module, V, int_

BITS = (4, 8)
"""Widths of weights that have kernels."""

STEPS = 192
"""k steps of a panel that are made at once where there is only one tile of rows to use them."""


def pack_levels(w: np.ndarray, bits: int, count: int, goal: Goal) -> np.ndarray:
    """Lay out w[N, blocks, bytes] of `count` numbers a row as panels [N / columns][K][row], zero padded.

    A row of 4 bits holds the first vector's columns in its low halves, the others in its high ones.
    """
    shape = TileShape.of(goal, "f32")
    rows = _panels(levels(w, bits, count), shape)
    if bits == 8:
        return _aligned(rows)
    low, high = rows[..., : shape.lanes], rows[..., shape.lanes :]
    return _aligned(low | high << np.uint8(4))


def pack_blocks(v: np.ndarray, goal: Goal) -> np.ndarray:
    """Lay out scales or zero points [N, blocks] as panels [N / columns][blocks][columns], zero padded."""
    return _aligned(_panels(v, TileShape.of(goal, "f32")))


def _panels(v: np.ndarray, shape: TileShape) -> np.ndarray:
    """[N, K] -> [panels, K, columns]."""
    whole = np.pad(v, ((0, -len(v) % shape.columns), (0, 0)))
    return np.ascontiguousarray(whole.reshape(-1, shape.columns, v.shape[1]).transpose(0, 2, 1))


def _aligned(data: np.ndarray) -> np.ndarray:
    packed = aligned_zeros(data.shape, data.dtype)
    packed[...] = data
    return packed


def define_unpack(module: Module, shape: TileShape, bits: int) -> str:
    """Add `void @name(to, levels, scales, zeros, i64 begin, i64 end, i64 block, i1 narrow)`; returns it.

    Steps begin..end of one panel as floats, a full panel or if `narrow` its first vector alone.
    """
    assert dt.F32.name == shape.operand
    name = f"unpack_blockwise{bits}_{shape.operand}"
    sizes = [("begin", "i64"), ("end", "i64"), ("block", "i64"), ("narrow", "i1")]
    params = [*((n, "ptr") for n in ("to", "levels", "scales", "zeros")), *sizes]
    f = Function(module, name, params, internal=True, attributes="nounwind noinline")
    narrow = f.params[-1]
    one, all_, done = (f.new_label(hint) for hint in ("one", "all", "done"))
    f.branch(narrow, one, all_)
    for label, vectors in ((one, 1), (all_, shape.vectors)):
        f.start(label)
        _steps(f, shape, bits, vectors)
        f.jump(done)
    f.start(done)
    f.ret()
    f.finish()
    return name


def _steps(f: Function, shape: TileShape, bits: int, vectors: int) -> None:
    to, packed, scales, zeros, begin, end, block, _ = f.params
    first, last = f.binary("udiv", begin, block), f.add(f.binary("udiv", f.sub(end, int_(1)), block), int_(1))
    with f.loop(first, last) as part:
        at = f.mul(part.index, int_(shape.columns))
        scale, zero = (
            [
                f.load(f.gep(base, f.add(at, int_(j * shape.lanes)), shape.dtype), shape.vector)
                for j in range(vectors)
            ]
            for base in (scales, zeros)
        )
        low = f.smax(begin, f.mul(part.index, block))
        high = f.smin(end, f.mul(f.add(part.index, int_(1)), block))
        with f.loop(low, high) as step:
            row = f.gep(packed, f.mul(step.index, int_(shape.columns * bits // 8)), "i8")
            into = f.gep(to, f.mul(f.sub(step.index, begin), int_(vectors * shape.lanes)), shape.dtype)
            for j, level in enumerate(_levels(f, shape, bits, row, vectors)):
                number = f.binary("fsub", f.convert("sitofp", level, shape.dtype), zero[j])
                number = f.binary("fmul", number, scale[j])
                f.store(number, f.gep(into, int_(j * shape.lanes), shape.dtype))


def _levels(f: Function, shape: TileShape, bits: int, row: V, vectors: int) -> list[V]:
    """The numbers of one step as vectors of i32."""
    type_ = vector_of("i8", shape.lanes)
    if bits == 8:
        parts = [f.load(f.gep(row, int_(j * shape.lanes), "i8"), type_) for j in range(vectors)]
        return [f.convert("zext", part, "i32") for part in parts]
    both = f.convert("zext", f.load(row, type_), "i32")
    halves = [f.binary("and", both, int_(15, both.type)), f.binary("lshr", both, int_(4, both.type))]
    return halves[:vectors]
