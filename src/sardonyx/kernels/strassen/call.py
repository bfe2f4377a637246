"""The call of a product -> the call that computes it with seven multiplications in the place of eight."""

from __future__ import annotations

from sardonyx.base import dim as dims
from sardonyx.base.dataclass import replace
from sardonyx.base.policy import Goal
from sardonyx.ir.value import Value
from sardonyx.kernels.arguments import Gemm
from sardonyx.kernels.call import Address, Argument, NativeCall
from sardonyx.kernels.packing import packed
from sardonyx.kernels.strassen.blocking import blocking
from sardonyx.kernels.strassen.choose import chosen, least_sizes
from sardonyx.kernels.strassen.pack import pack_sums, parts, sums_shape
from sardonyx.kernels.strassen.scheme import PRODUCTS


def strassen_call(call: NativeCall, anchor: Value, goal: Goal) -> NativeCall | None:
    """The call with what it needs to know more; None where the product stays as it is.

    It does if it has batches, an operand whose rows are not contiguous, or known to be few.
    """
    if not chosen(anchor, goal):
        return None
    m, b, (least, least_columns) = call.words[Gemm.M], anchor.args[1], least_sizes(goal)
    alone = all(call.words[word] == 1 for word in (Gemm.BATCH0, Gemm.BATCH1, Gemm.A_K))
    if not alone or (isinstance(m, int) and m < least):
        return None
    assert b.data is not None
    shape = sums_shape(b.data.shape, goal)
    sums = packed(b, ("strassen", goal), lambda w: pack_sums(w, goal), shape, lambda w: parts(w, goal))
    cut = blocking(b.data.shape[-2] // 2, b.data.shape[-1], goal)
    own: dict[int, Argument] = {
        Gemm.SUMS: Address(sums),
        Gemm.LEAST_ROWS: least,
        Gemm.PAIRS: cut.pairs,
        Gemm.PANELS: cut.panels,
        Gemm.STEPS: cut.steps,
        Gemm.PITCH: cut.pitch,
        Gemm.LEAST_COLUMNS: least_columns,
    }
    return replace(
        call,
        symbol="sdx_gemm_strassen_f32",
        words=tuple(own.get(n, word) for n, word in enumerate(call.words)),
        reads=(*call.reads, sums),
        scratch_bytes=dims.maximum(call.scratch_bytes, cut.scratch_bytes),
        flops=dims.floordiv(call.flops * PRODUCTS, PRODUCTS + 1),
        plan=f"{call.plan}, strassen from {least} rows on",
    )
