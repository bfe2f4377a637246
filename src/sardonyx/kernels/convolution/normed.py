"""What is done to channels as they are cut into digits: a norm that a convolution reads, and powers of two.

Must not know how it is decided what multiplies.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

import numpy as np

from sardonyx.base import dtype as dt
from sardonyx.base.abi import number_bits
from sardonyx.base.dataclass import replace
from sardonyx.base.policy import Goal
from sardonyx.base.tile import MatrixTile
from sardonyx.ir.group import Group
from sardonyx.ir.norm import Norm, norm_of
from sardonyx.ir.place import Place, Storage
from sardonyx.ir.value import Array, Value, const
from sardonyx.kernels.arguments import Conv
from sardonyx.kernels.call import Address, Argument, NativeCall
from sardonyx.kernels.contents import allows
from sardonyx.kernels.digits.even import powers_of
from sardonyx.kernels.tiles.shape import BY_LEFT

Convolve: TypeAlias = Callable[[Group, Mapping[int, Place]], NativeCall]
"""What makes the call of a convolution whose values are at these places."""


def normed_call(
    before: Group, last: Group, places: Mapping[int, Place], goal: Goal, convolve: Convolve
) -> NativeCall | None:
    """The call of a norm and its convolution; None if that is not one of digits."""
    norm, anchor = norm_of(before.root, before.inlined), last.anchor
    assert norm is not None and anchor is not None
    own = places[norm.source.id]
    tile = goal.find_matrix("fixed24", everywhere=True)
    if tile is None or anchor.attrs["group"] != 1 or own.strides[-1] != 1:
        return None
    call = convolve(last, {**places, before.root.id: own})
    if call.symbol != f"sdx_conv_{tile.name}_{BY_LEFT[dt.F32]}":
        return None
    powers = powers_in(anchor, tile)
    if powers is not None and norm.low not in (0, -np.inf):
        return None
    if powers is not None:
        even = even_norm(norm.source, powers)
        norm = replace(norm, scale=norm.scale * even.scale, shift=norm.shift * even.scale)
    words = list(call.words)
    for word, told in norm_words(norm).items():
        words[word] = told
    origins = tuple(dict.fromkeys([*call.origins, *before.root.origins]))
    return replace(call, words=tuple(words), origins=origins, plan=f"{call.plan}, normed before")


def powers_in(anchor: Value, tile: MatrixTile) -> Array | None:
    """The powers of two by which a convolution on that tile multiplies channels [IC], if it does."""
    x, w = anchor.args[:2]
    if tile.operand != "fixed24" or x.rank != 5 or w.data is None or anchor.attrs["group"] != 1:
        return None
    return allows(w, powers_of)


def even_norm(x: Value, powers: Array) -> Norm:
    """Channels of a value [N, blocks, H, W, lanes] times powers; other lanes are as they are."""
    scale = np.ones([int(x.shape[axis]) for axis in (1, 4)], np.float32)  # type: ignore[arg-type]
    scale.reshape(-1)[: len(powers)] = powers
    return Norm(x, scale, np.zeros_like(scale), -np.inf)


def norm_words(norm: Norm) -> dict[int, Argument]:
    """What tells a convolution in digits of a norm."""
    table = const(table_of(norm))
    place = Address(Storage("packed", table.dtype, table.size, 0, table))
    return {Conv.NORM: place, Conv.NORM_LOW: number_bits(norm.low, norm.source.dtype)}


def table_of(norm: Norm) -> Array:
    """What NORM points to: [block][scales, shifts][lane]."""
    return np.ascontiguousarray(np.stack([norm.scale, norm.shift], axis=1)).reshape(-1)
