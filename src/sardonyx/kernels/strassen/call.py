"""The call of a product -> the call that computes it with seven multiplications in the place of eight."""

from __future__ import annotations

from sardonyx.base import dim as dims
from sardonyx.base.dataclass import replace
from sardonyx.base.dim import Dim, Expr
from sardonyx.base.policy import Goal
from sardonyx.ir.value import Value
from sardonyx.kernels.arguments import Gemm
from sardonyx.kernels.call import Address, Argument, NativeCall
from sardonyx.kernels.packing import packed
from sardonyx.kernels.strassen.blocking import blocking, twice_blocking
from sardonyx.kernels.strassen.choose import least_sizes, levels
from sardonyx.kernels.strassen.pack import pack_sums, parts, sums_shape
from sardonyx.kernels.strassen.scheme import PRODUCTS

NEVER = 1 << 62
"""More rows than there are."""


def strassen_call(call: NativeCall, anchor: Value, goal: Goal) -> NativeCall | None:
    """The call with what it needs to know more; None where the product stays as it is.

    It does if it has batches, an operand whose rows are not contiguous, or known to be few.
    """
    times = levels(anchor, goal)
    if not times:
        return None
    m, b, least = call.words[Gemm.M], anchor.args[1], least_sizes(goal)
    alone = all(call.words[word] == 1 for word in (Gemm.BATCH0, Gemm.BATCH1, Gemm.A_K))
    if not alone or (isinstance(m, int) and m < least.rows):
        return None
    assert b.data is not None
    shape = sums_shape(b.data.shape, goal)
    sums = packed(b, ("strassen", goal), lambda w: pack_sums(w, goal), shape, lambda w: parts(w, goal))
    *_, k, n = b.data.shape
    cut, twice = blocking(k // 2, n, goal), twice_blocking(k // 4, n, goal)
    twice_rows = least.rows_twice if times > 1 else NEVER
    own: dict[int, Argument] = {
        Gemm.SUMS: Address(sums),
        Gemm.LEAST_ROWS: least.rows,
        Gemm.PAIRS: cut.pairs,
        Gemm.PANELS: cut.panels,
        Gemm.STEPS: cut.steps,
        Gemm.PITCH: cut.pitch,
        Gemm.LEAST_COLUMNS: least.columns,
        Gemm.TWICE_ROWS: twice_rows,
        Gemm.TWICE_FOURS: twice.fours,
        Gemm.TWICE_PANELS: twice.panels,
        Gemm.TWICE_STEPS: twice.steps,
    }
    again = f", twice from {twice_rows}" if times > 1 else ""
    return replace(
        call,
        symbol="sdx_gemm_strassen_f32",
        words=tuple(own.get(n, word) for n, word in enumerate(call.words)),
        reads=(*call.reads, sums),
        scratch_bytes=dims.maximum(call.scratch_bytes, max(cut.scratch_bytes, twice.scratch_bytes)),
        flops=_flops(call, twice_rows),
        plan=f"{call.plan}, strassen from {least.rows} rows on{again}",
    )


def _flops(call: NativeCall, twice_rows: int) -> Dim:
    """Of the products that are left, once or twice seven of eight."""
    once = dims.floordiv(call.flops * PRODUCTS, PRODUCTS + 1)
    m = call.words[Gemm.M]
    assert isinstance(m, int | Expr)
    again = dims.minimum(dims.floordiv(m, twice_rows), 1)
    return once - dims.floordiv(once, PRODUCTS + 1) * again
