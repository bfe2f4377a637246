"""Scores, shares and what they mix -> one call of the attention kernel."""

from __future__ import annotations

from collections.abc import Mapping

from sardonyx.base import dim as dims
from sardonyx.base.policy import Goal
from sardonyx.base.tile import MatrixTile
from sardonyx.fuse.attention import scores_as_read
from sardonyx.ir.group import Group
from sardonyx.ir.place import Place
from sardonyx.ir.value import Value
from sardonyx.kernels.arguments import Attention
from sardonyx.kernels.attention.layout import Layout
from sardonyx.kernels.call import Address, Argument, Entry, NativeCall, in_order
from sardonyx.kernels.epilogue import epilogue_reads
from sardonyx.kernels.loops import Emissions, flops
from sardonyx.loops.lower import lower_rows


def attention_call(
    group: Group, places: Mapping[int, Place], goal: Goal, emissions: Emissions
) -> tuple[NativeCall, Mapping[str, str], MatrixTile | None]:
    """The call, the IR modules it needs by name, and the tile of matrix registers if these multiply."""
    scores, shares, mixed = group.parts
    assert scores.anchor is not None
    assert mixed.anchor is not None
    (q, k), (_, v) = scores.anchor.args, mixed.anchor.args
    seen = scores_as_read(scores, shares)
    kernel = lower_rows(scores, shares, places, None if seen is scores.root else seen)
    rows, ir = emissions.call(kernel)
    layout = Layout.of(goal, q, k, v)
    target, total, depth, width = goal.target, k.shape[-1], q.shape[-1], v.shape[-1]
    words: dict[int, Argument] = {
        Attention.ROWS: Entry(rows.symbol),
        Attention.M: q.shape[-2],
        Attention.S: shares.root.shape[-2],
        Attention.T: total,
        Attention.D: depth,
        Attention.E: width,
        Attention.L2_BYTES: target.l2_bytes,
    }
    lead = (*(1,) * (4 - group.root.rank), *group.root.shape[:-2])
    words |= {Attention.BATCH0 + n: size for n, size in enumerate(lead)}
    words |= _operand(Attention.Q, q, places, (Attention.Q_M, Attention.Q_D), lead)
    words |= _operand(Attention.K, k, places, (Attention.K_D, Attention.K_T), lead)
    words |= _operand(Attention.V, v, places, (Attention.V_T, Attention.V_E), lead)
    words |= _operand(Attention.Y, group.root, {group.root.id: group.place}, (Attention.Y_M, None), lead)
    sizes = ", ".join(map(str, (q.shape[-2], total)))
    read = [places[x.id].storage for x in (q, k, v)]
    assert group.place is not None
    work = 2 * dims.product(lead) * q.shape[-2] * total * (depth + width) + flops(kernel)
    call = NativeCall(
        layout.symbol,
        (*in_order(words, Attention.EPILOGUE_WORDS), *rows.words),
        tuple(dict.fromkeys([*read, *epilogue_reads(kernel)])),
        (group.place.storage,),
        tuple(dict.fromkeys([*mixed.anchor.origins, *kernel.origins])),
        work=work,
        scratch_bytes=layout.scratch_bytes(target, total, depth, width),
        kind="attention",
        arithmetic=layout.arithmetic or str(goal.tile("f32")),
        plan=f"{' x '.join(map(str, lead))} heads, {sizes}, {depth} and {width}, rows of scores in cache",
        flops=work,
    )
    return call, {rows.symbol: ir}, layout.tile


def _operand(
    word: Attention,
    value: Value,
    places: Mapping[int, Place | None],
    ends: tuple[Attention, Attention | None],
    lead: tuple[dims.Dim, ...],
) -> dict[int, Argument]:
    """The address of a matrix for each head, and its strides; batch axes of size 1 repeat."""
    at = places[value.id]
    assert at is not None
    place = at.spread(value.shape, (*lead[len(lead) + 2 - value.rank :], *value.shape[-2:]))
    *batch, first, last = place.strides
    words: dict[int, Argument] = {word: Address.of(place), ends[0]: first}
    if ends[1] is not None:
        words[ends[1]] = last
    for number, stride in enumerate(reversed(batch), 1):
        words[Attention[f"{word.name}_BATCH{2 - number}"]] = stride
    return words
