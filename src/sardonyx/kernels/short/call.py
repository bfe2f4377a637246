"""The call of a product -> the call that reads weights of 24 bits while rows are few."""

from __future__ import annotations

from sardonyx.base.dataclass import replace
from sardonyx.base.policy import Goal
from sardonyx.ir.value import Value
from sardonyx.kernels.arguments import Gemm
from sardonyx.kernels.call import Address, Argument, Entry, NativeCall
from sardonyx.kernels.packing import packed
from sardonyx.kernels.product.pack import parts_b
from sardonyx.kernels.short.choose import chosen, most_rows
from sardonyx.kernels.short.pack import pack_short, short_shape


def short_call(call: NativeCall, anchor: Value, goal: Goal) -> NativeCall | None:
    """The call with what it needs to know more; None where the product stays as it is.

    It does if it has batches. Where rows are known to be few, the weights are kept in 24 bits alone.
    """
    m, b = call.words[Gemm.M], anchor.args[1]
    assert not isinstance(m, Address | Entry)
    alone = all(call.words[word] == 1 for word in (Gemm.BATCH0, Gemm.BATCH1))
    if not alone or not chosen(anchor, m, goal):
        return None
    assert b.data is not None
    shape = short_shape(b.data.shape, goal)
    short = packed(b, ("short", goal), lambda w: pack_short(w, goal), shape, lambda w: parts_b(w, goal))
    own: dict[int, Argument] = {Gemm.SHORT: Address(short)}
    reads, always = (*call.reads, short), isinstance(m, int)
    if always:
        whole = call.words[Gemm.B]
        assert isinstance(whole, Address)
        own[Gemm.B] = 0
        reads = tuple(storage for storage in reads if storage is not whole.storage)
    else:
        own[Gemm.MANY] = Entry(call.symbol)
    bits = "weights of 24 bits"
    return replace(
        call,
        symbol="sdx_gemm_short_f32",
        words=tuple(own.get(n, word) for n, word in enumerate(call.words)),
        reads=reads,
        arithmetic=f"{call.arithmetic}, {bits}" if always else call.arithmetic,
        plan=call.plan if always else f"{call.plan}, {bits} up to {most_rows(goal)} rows",
    )
