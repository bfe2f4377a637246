"""Text operators of com.microsoft, and the hash that goes with them: MurmurHash3, Tokenizer."""

from __future__ import annotations

import re
from functools import reduce

from sardonyx.base import dtype as dt
from sardonyx.errors import ShapeError, UnsupportedOp
from sardonyx.ir.data_size import data_sized
from sardonyx.ir.value import Value, make, map_, scalar
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
