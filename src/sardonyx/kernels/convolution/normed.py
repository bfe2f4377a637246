"""A norm and the convolution that reads it -> one call, which norms channels as it cuts them into digits.

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
from sardonyx.ir.group import Group
from sardonyx.ir.norm import Norm, norm_of
from sardonyx.ir.place import Place, Storage
from sardonyx.ir.value import Array, const
from sardonyx.kernels.arguments import Conv
from sardonyx.kernels.call import Address, NativeCall
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
    table = const(table_of(norm))
    place = Address(Storage("packed", table.dtype, table.size, 0, table))
    words = list(call.words)
    words[Conv.NORM], words[Conv.NORM_LOW] = place, number_bits(norm.low, norm.source.dtype)
    origins = tuple(dict.fromkeys([*call.origins, *before.root.origins]))
    return replace(call, words=tuple(words), origins=origins, plan=f"{call.plan}, normed before")


def table_of(norm: Norm) -> Array:
    """What NORM points to: [block][scales, shifts][lane]."""
    return np.ascontiguousarray(np.stack([norm.scale, norm.shift], axis=1)).reshape(-1)
