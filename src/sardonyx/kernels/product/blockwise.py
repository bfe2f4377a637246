"""Weights of few bits, with a scale and a zero point each block of k: their layout, and how they are floats.

A panel is made of them in scratch when it is needed. Must not know graphs or what follows the product.
"""

from __future__ import annotations

import numpy as np

from sardonyx.base import dtype as dt
from sardonyx.base.policy import Goal
from sardonyx.ir.algorithms.blockwise import GROUP, levels
from sardonyx.kernels.product.pack import aligned_zeros
from sardonyx.kernels.tiles.shape import TileShape
from sardonyx.llvm.types import vector_of
from sardonyx.llvm.vec import Function, Module, V, float_, int_

STEPS = 192
"""k steps of a panel that are made at once where there is only one tile of rows to use them."""

WORD_BITS = 32
"""Numbers of one column that follow each other share a word."""


def order(bits: int) -> list[int]:
    """By how many bits a word is to be shifted for each of its numbers: those of 4 bits lie bytes apart."""
    return [at + part for part in range(0, 8, bits) for at in range(0, WORD_BITS, 8)]


def pack_levels(w: np.ndarray, bits: int, count: int, goal: Goal) -> np.ndarray:
    """Lay out w[N, blocks, bytes] of `count` numbers a row as words [N / columns][K / numbers][columns].

    They are zero padded to whole groups of k, and given as bytes.
    """
    numbers = levels(w, bits, count)
    numbers = np.pad(numbers, ((0, 0), (0, -count % GROUP)))
    apart = numbers.reshape(len(w), -1, WORD_BITS // bits).astype(np.uint32)
    words = np.bitwise_or.reduce(apart << np.array(order(bits), np.uint32), axis=-1)
    return _aligned(_panels(words, TileShape.of(goal, "f32"))).view(np.uint8)


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

    Steps begin..end of one panel as floats, a full panel or if `narrow` its first vector alone. Zero points
    may be null: all are half of what levels may be.
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
    """All steps of the words that hold those; what is behind the last is of no meaning."""
    to, packed, scales, zeros, begin, end, block, _ = f.params
    first, last = f.binary("udiv", begin, block), f.add(f.binary("udiv", f.sub(end, int_(1)), block), int_(1))
    shifts = order(bits)
    usual = f.alloca(shape.dtype, shape.columns)
    for j in range(vectors):
        f.store(float_(1 << bits - 1, shape.vector), f.gep(usual, int_(j * shape.lanes), shape.dtype))
    has_zeros = f.icmp("ne", zeros, V("null", "ptr"))
    zeros = f.select(has_zeros, zeros, usual)
    with f.loop(first, last) as part:
        at = f.mul(part.index, int_(shape.columns))
        scale, zero = (
            [
                f.load(f.gep(base, f.add(own, int_(j * shape.lanes)), shape.dtype), shape.vector)
                for j in range(vectors)
            ]
            for base, own in ((scales, at), (zeros, f.select(has_zeros, at, int_(0))))
        )
        low = f.smax(begin, f.mul(part.index, block))
        high = f.smin(end, f.mul(f.add(part.index, int_(1)), block))
        with f.loop(low, high, len(shifts)) as step:
            word = f.binary("udiv", step.index, int_(len(shifts)))
            row = f.gep(packed, f.mul(word, int_(shape.columns)), "i32")
            into = f.gep(to, f.mul(f.sub(step.index, begin), int_(vectors * shape.lanes)), shape.dtype)
            for j in range(vectors):
                words = f.load(f.gep(row, int_(j * shape.lanes), "i32"), vector_of("i32", shape.lanes))
                for n, shift in enumerate(shifts):
                    number = f.convert("sitofp", level(f, words, bits, shift), shape.dtype)
                    number = f.binary("fmul", f.binary("fsub", number, zero[j]), scale[j])
                    f.store(number, f.gep(into, int_((n * vectors + j) * shape.lanes), shape.dtype))


def level(f: Function, words: V, bits: int, shift: int) -> V:
    """One number of each word as i32."""
    moved = f.binary("lshr", words, int_(shift, words.type)) if shift else words
    return f.binary("and", moved, int_((1 << bits) - 1, words.type))
