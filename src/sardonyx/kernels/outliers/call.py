"""The call of a product of bytes -> the call that serves any weights, where those are too large for pairs."""

from __future__ import annotations

from sardonyx.base import dtype as dt
from sardonyx.base.dataclass import replace
from sardonyx.base.policy import Goal
from sardonyx.ir.value import Value
from sardonyx.kernels.arguments import Gemm
from sardonyx.kernels.call import Address, Argument, NativeCall
from sardonyx.kernels.outliers.pack import column_totals, pack_unsigned
from sardonyx.kernels.packing import packed
from sardonyx.kernels.product.pack import packed_shape, parts_b
from sardonyx.passes.short_sums import IN_PAIRS, fits


def outlier_call(call: NativeCall, anchor: Value, goal: Goal) -> NativeCall | None:
    """The call with other weights; None if sums of pairs hold those that it has."""
    b = anchor.args[1]
    tile = goal.find_tile(IN_PAIRS)
    if b.data is None or b.dtype is not dt.I8 or tile is None or fits(b.data, tile):
        return None
    shape = packed_shape(b.data.shape, b.data.dtype, goal)
    weights = packed(
        b, ("outliers", goal), lambda w: pack_unsigned(w, goal), shape, lambda w: parts_b(w, goal)
    )
    totals = packed(b, ("totals", goal), lambda w: column_totals(w, goal))
    whole = call.words[Gemm.B]
    assert isinstance(whole, Address)
    own: dict[int, Argument] = {Gemm.B: Address(weights), Gemm.SCALES: Address(totals)}
    return replace(
        call,
        symbol=f"sdx_gemm_outliers_{IN_PAIRS}",
        words=tuple(own.get(n, word) for n, word in enumerate(call.words)),
        arithmetic=f"{call.arithmetic}, any weights",
        reads=tuple(weights if storage is whole.storage else storage for storage in (*call.reads, totals)),
    )
