"""Text operators of com.microsoft: MurmurHash3, Tokenizer, WordConvEmbedding."""

from __future__ import annotations

import re
from functools import reduce

import numpy as np

from sardonyx.base import dtype as dt
from sardonyx.errors import ShapeError, UnsupportedOp
from sardonyx.ir.data_size import data_sized
from sardonyx.ir.value import Value, concat, dim_value, iota, make, map_, scalar
from sardonyx.ops.demands import at_least, ranked, shaped
from sardonyx.ops.operands import needs_size
from sardonyx.ops.table import op

MICROSOFT = "com.microsoft"


@op("MurmurHash3", domain=MICROSOFT)
def murmur_hash(x: Value, *, positive: int = 1, seed: int = 0) -> Value:
    """MurmurHash3_x86_32 of the bytes of each element, as uint32 or int32."""
    seed &= 0xFFFFFFFF
    text = x.dtype is dt.STRING
    y = make("text_hash", (x,), {"seed": seed}, dt.U32, x.shape) if text else _hashed(x, seed)
    return y if positive else _bits(y, dt.I32)


def _bits(x: Value, to: dt.DType) -> Value:
    return x if x.dtype is to else make("bitcast", (x,), {"to": to}, to, x.shape)


def _hashed(x: Value, seed: int) -> Value:
    """The hash of numbers of 4 or 8 bytes, whose blocks are their 32-bit halves, low ones first."""
    if x.dtype.bits == 32:
        blocks = [_bits(x, dt.U32)]
    else:
        wide = _bits(x, dt.U64)
        blocks = [half.cast(dt.U32) for half in (map_("bitand", wide, 0xFFFFFFFF), map_("shr", wide, 32))]
    h = reduce(_mixed, blocks, scalar(seed, dt.U32))
    h = map_("bitxor", h, 4 * len(blocks))
    h = map_("bitxor", h, map_("shr", h, 16)) * 0x85EBCA6B
    h = map_("bitxor", h, map_("shr", h, 13)) * 0xC2B2AE35
    return map_("bitxor", h, map_("shr", h, 16))


def _mixed(h: Value, block: Value) -> Value:
    h = map_("bitxor", h, _rotated(block * 0xCC9E2D51, 15) * 0x1B873593)
    return _rotated(h, 13) * 5 + 0xE6546B64


def _rotated(x: Value, bits: int) -> Value:
    return map_("bitor", map_("shl", x, bits), map_("shr", x, 32 - bits))


@op("Tokenizer", domain=MICROSOFT)
def tokenizer(
    x: Value,
    *,
    mark: int,
    mincharnum: int,
    pad_value: str,
    separators: tuple[str, ...] = (),
    tokenexp: str = "",
) -> Value:
    """The tokens of each text along a new last axis: what separators leave, or what an expression matches."""
    if x.rank not in (1, 2):
        raise ShapeError(f"texts of shape {list(x.shape)}: [C] or [N, C] is needed")
    if bool(separators) == bool(tokenexp):
        raise UnsupportedOp("exactly one of separators and tokenexp must be given")
    if x.size == 0:
        return x
    for pattern in separators or (tokenexp,):
        try:
            re.compile(pattern)
        except re.error as error:
            raise UnsupportedOp(f"the pattern {pattern!r}: {error}") from error
    attrs = {
        "separators": separators,
        "pattern": tokenexp,
        "least": mincharnum,
        "mark": bool(mark),
        "fill": pad_value,
    }
    (y,) = data_sized("text_tokens", [x], attrs, [(dt.STRING, (*x.shape, None))])
    return y


@op("WordConvEmbedding", domain=MICROSOFT)
def word_conv_embedding(
    sequence: Value,
    w: Value,
    b: Value,
    c: Value,
    *,
    char_embedding_size: int = -1,
    conv_window_size: int = -1,
    embedding_size: int = -1,
) -> Value:
    """Each word [S, L] of characters as numbers, 0 after its end: the greatest of tanh(filters over them).

    Filters w [F, 1, K, E] slide over the rows of c [N, E] of K characters; a word without characters is 0.
    """
    ranked(sequence, "the sequence", 2)
    ranked(w, "the filters W", 4)
    ranked(c, "the embedding C", 2)
    filters, _, taps, width = w.shape
    w = shaped(w, "the filters W", filters, 1, taps, c.shape[1])
    if not isinstance(taps, int):
        raise needs_size(taps, "the number of characters that a filter sees")
    words, length = sequence.shape
    at_least(length, taps, "words are shorter than filters")
    known = scalar(0, dt.I32).le(sequence).logical_and(sequence.lt(dim_value(c.shape[0], dt.I32)))
    letters = known.where(sequence, 0).cast(dt.I64)
    rows = known.reshape((words, length, 1)).where(c.gather(letters, 0), 0)
    count = length - taps + 1
    views = concat([rows.slice((0, t, 0), (words, count, width)) for t in range(taps)], 2)
    y = views.dot(w.reshape((filters, taps * width)).transpose(1, 0)) + shaped(b, "the bias B", filters)
    there = scalar(0, dt.I32).lt(sequence).cast(dt.I32)
    begun = there.slice((0, 0), (words, 1))
    ends = there.sum(1) * begun - (taps - 1)
    seen = iota((1, count, 1), 1, dt.I32).lt(ends.max(1).reshape((words, 1, 1)))
    best = seen.where(y.tanh(), -np.inf).reduce_max(1).reshape((words, filters))
    return begun.eq(0).where(scalar(0, y.dtype), best)
