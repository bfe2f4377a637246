"""Recurrent weights of 24 bits: which layers read them, and how three vectors hold four of floats.

Every step reads all weights of a direction, so those that do not stay in L2 decide how long it takes. Must
not know panels or gates.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from sardonyx.base import dim as dims
from sardonyx.base import dtype as dt
from sardonyx.base.dim import Dim
from sardonyx.base.policy import Goal
from sardonyx.ir.value import Value
from sardonyx.kernels.contents import allows
from sardonyx.kernels.product.pack import aligned_zeros
from sardonyx.kernels.short.choose import is_near, rounded
from sardonyx.llvm.types import mangle, vector_of
from sardonyx.llvm.vec import Function, V, int_

OPERAND = "f24"
MOST_ROWS = 5
"""Rows up to which a layer waits for its weights: one tile of sums, for which they are widened once."""

FLOATS, VECTORS = 4, 3
"""So many vectors of floats are kept in so many."""

Array = np.ndarray


def chosen(r: Value, rows: Dim, goal: Goal) -> bool:
    """Whether a layer of so many rows reads its weights r[D, H, gates * H] so while these are few.

    Where the user leaves it to us, it does if those of a direction do not stay in L2 beside states and gates.
    """
    wanted = goal.policy.short_weights
    if wanted == "off" or goal.find_tile(OPERAND) is None or r.dtype is not dt.F32:
        return False
    if not r.is_numeric_const or r.data is None or not r.data.size:
        return False
    if wanted == "auto":
        stay = r.data[0].nbytes <= goal.target.l2_bytes * 3 // 4
        if stay or (dims.lower_bound(rows) or 0) > MOST_ROWS:
            return False
    return allows(r, _are_near)


def _are_near(directions: Array) -> bool:
    return all(map(is_near, directions))


def needs_floats(rows: Dim, goal: Goal) -> bool:
    """Whether a layer with such weights keeps floats too, which many rows are multiplied by."""
    return not isinstance(rows, int) and not goal.keeps_once


def shortened(weights: Array, lanes: int) -> Array:
    """Floats, vector after vector, as dwords of 24 bits, rounded: FLOATS vectors take VECTORS.

    Lane by lane the first holds the upper halves of the first float and of the second, which is below it, the
    next those of the third and fourth; the last holds their third bytes, which are those of the third, first,
    fourth and second float from the lowest one up.
    """
    bits = rounded(np.ascontiguousarray(weights).view(np.uint32)).reshape(-1, FLOATS, lanes)
    first, second, third, fourth = np.moveaxis(bits, 1, 0)
    lows = (third >> 8 & 0xFF, first & 0xFF00, fourth << 8 & 0xFF0000, second << 16 & 0xFF000000)
    low = lows[0] | lows[1] | lows[2] | lows[3]
    upper = np.uint32(0xFFFF0000)
    dwords = np.stack([first & upper | second >> 16, third & upper | fourth >> 16, low], 1)
    packed = aligned_zeros(dwords.shape, np.dtype(np.float32))
    packed.view(np.uint32)[...] = dwords
    return packed


def widened(f: Function, at: V, lanes: int) -> Iterator[V]:
    """The FLOATS vectors of floats that are kept from an address on, which is aligned to vectors."""
    dwords, words = vector_of("i32", lanes), vector_of("i16", 2 * lanes)
    first, second, low = (
        f.load(f.gep(at, int_(n * 4 * lanes), "i8"), dwords, 4 * lanes) for n in range(VECTORS)
    )
    bytes_ = f.bitcast(low, words)
    odd, even = f.binary("and", bytes_, int_(0xFF00, words)), f.binary("shl", bytes_, int_(8, words))
    upper = [n if n % 2 else n + 2 * lanes for n in range(2 * lanes)]
    shift = f"llvm.fshl.{mangle(dwords)}"
    for high, third in ((first, odd), (second, even)):
        joined = f.bitcast(f.shuffle(f.bitcast(high, words), third, upper), dwords)
        below = f.call(shift, dwords, high, f.bitcast(third, dwords), int_(16, dwords))
        yield from (f.bitcast(bits, vector_of("float", lanes)) for bits in (joined, below))
