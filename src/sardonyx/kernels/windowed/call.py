"""A convolution and the windows that read it -> one call, of two that work on strips in private memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from sardonyx.base import dim as dims
from sardonyx.base.abi import number_bits
from sardonyx.base.dataclass import replace
from sardonyx.base.dim import Dim
from sardonyx.base.policy import Goal
from sardonyx.ir.group import Group
from sardonyx.ir.place import Place
from sardonyx.kernels.arguments import Conv, Shift, Windowed
from sardonyx.kernels.call import Address, Argument, Entry, NativeCall, in_order
from sardonyx.kernels.loops import Emissions, flops, work
from sardonyx.kernels.windowed.stages import Stage, convolution, reads_strips, windows
from sardonyx.kernels.windowed.strips import LINE_BYTES, Strips
from sardonyx.loops.lower import lower
from sardonyx.loops.nest import Kernel
from sardonyx.loops.rewrite import with_extents

Convolve: TypeAlias = Callable[[Group, Mapping[int, Place]], NativeCall]
"""What makes the call of a convolution whose values are at these places."""

_BLOCKS, _LINES = dims.symbol("blocks of a strip", 1), dims.symbol("lines of a strip", 1)
"""Extents that the loop nest is told for each strip."""


def windowed_call(
    group: Group,
    places: Mapping[int, Place],
    goal: Goal,
    emissions: Emissions,
    convolve: Convolve,
) -> tuple[NativeCall, Mapping[str, str]] | None:
    """The call, and by name the IR of the loop nest; None if one of the two cannot work on strips.

    Matrix registers do not where lines of the input that strips have in common are split for several taps.
    """
    strips = Strips.of(group, goal)
    first, last = group.parts[0], group.parts[-1]
    if strips is None or first.anchor is None or "missing" in first.anchor.attrs:
        return None
    between = strips.place(first.root)
    inside = replace(between, offset=strips.left * strips.block)
    own = replace(first, place=inside)
    (end,), (nest,) = lower(own, places), lower(last, {**places, strips.window.args[0].id: between})
    if not reads_strips(nest, between.storage, between.strides[:3], strips.step):
        return None
    head = convolve(own, {**places, first.root.id: inside})
    on_matrix = head.arithmetic != str(goal.tile("f32"))
    if on_matrix and first.anchor.args[0].rank == last.root.rank and not _splits_once(first, strips):
        return None
    if on_matrix and first.anchor.attrs["group"] > 1:
        return None
    one = convolution(head, end, strips.height, strips.width, between.storage)
    sample, block, line = nest.outer[:3]
    part = with_extents(nest, {sample: 1, block: _BLOCKS, line: _LINES})
    tail, ir = emissions.call(part)
    two = windows(tail, nest, between.storage)
    lines, blocks = (_only(tail.words, extent) for extent in (_LINES, _BLOCKS))
    if on_matrix and tail.scratch_bytes != 0:
        return None
    if one is None or two is None or lines is None or blocks is None or emissions.turns(tail):
        return None
    told: dict[int, Argument] = {Windowed.LINES_WORD: lines, Windowed.BLOCKS_WORD: blocks}
    call = _call(group, strips, (one, two), nest, told)
    return call, {tail.symbol: ir}


def _splits_once(first: Group, strips: Strips) -> bool:
    """Whether a convolution on matrix registers splits lines once."""
    assert first.anchor is not None
    return strips.strip == strips.lines or all(n == 1 for n in first.anchor.args[1].shape[2:])


def _only(words: Sequence[Argument], extent: Dim) -> int | None:
    """The number of the only word that depends on an extent, if it is that."""
    names = dims.symbols(extent)
    found = [n for n, word in enumerate(words) if not isinstance(word, Entry) and names & _symbols(word)]
    return found[0] if len(found) == 1 and words[found[0]] == extent else None


def _symbols(word: Address | Dim) -> frozenset[str]:
    return dims.symbols(word.offset if isinstance(word, Address) else word)


def _call(
    group: Group,
    strips: Strips,
    stages: tuple[Stage, Stage],
    nest: Kernel,
    told: Mapping[int, Argument],
) -> NativeCall:
    one, two = stages
    first, last, between = group.parts[0], group.parts[-1], strips.window.args[0]
    own = {_LINES: 0, _BLOCKS: 0}
    copied = [*one.words, *(own.get(w, w) if isinstance(w, dims.Expr) else w for w in two.words)]
    shifts = [_shifts(stage) for stage in stages]
    fill = between.args[1].data if between.prim == "pad" else None
    copies = _lines_up(dims.maximum(one.call.scratch_bytes, two.call.scratch_bytes))
    buffer = _lines_up(copies + 8 * len(copied))
    pixel = strips.block * first.root.dtype.size_bytes
    held = strips.panels * strips.of_panel * strips.rows * strips.pitch * pixel
    total = one.call.work + work(nest)
    words: dict[int, Argument] = {
        **told,
        **_counted(one, strips),
        Windowed.FIRST: Entry(one.call.symbol),
        Windowed.SECOND: Entry(two.call.symbol),
        Windowed.SAMPLES: last.root.shape[0],
        Windowed.BLOCKS: strips.blocks,
        Windowed.PANEL_BLOCKS: strips.of_panel,
        Windowed.PANELS: strips.panels,
        Windowed.LINES: strips.lines,
        Windowed.STRIP: strips.strip,
        Windowed.STEP: strips.step,
        Windowed.REACH: strips.reach,
        Windowed.HEIGHT: strips.height,
        Windowed.ABOVE: strips.above,
        Windowed.LINE_BYTES: strips.pitch * pixel,
        Windowed.BLOCK_BYTES: strips.rows * strips.pitch * pixel,
        Windowed.LEFT_BYTES: strips.left * pixel,
        Windowed.WIDTH_BYTES: strips.width * pixel,
        Windowed.RIGHT_BYTES: (strips.pitch - 1 - strips.left - strips.width) * pixel,
        Windowed.FILL: 0 if fill is None else number_bits(fill.reshape(-1)[0].item(), first.root.dtype),
        Windowed.COPIES: copies,
        Windowed.BUFFER: buffer,
        Windowed.COMMON: buffer + held,
        Windowed.WORK: total,
        **_counts(stages, shifts),
    }
    common = strips.blocks * strips.common * strips.pitch * pixel
    reads = [s for stage in stages for s in stage.call.reads if s not in one.call.writes]
    return NativeCall(
        "sdx_windowed",
        (*in_order(words, Windowed.HEAD), *copied, *shifts[0], *shifts[1]),
        tuple(dict.fromkeys(reads)),
        two.call.writes,
        tuple(dict.fromkeys([*two.call.origins, *one.call.origins])),
        work=total,
        scratch_bytes=buffer + held + common,
        kind="conv",
        arithmetic=one.call.arithmetic,
        plan=f"{one.call.plan}; {two.call.plan}, {strips.strip} lines at a time",
        flops=one.call.flops + flops(nest),
    )


def _counts(stages: tuple[Stage, Stage], shifts: Sequence[Sequence[Argument]]) -> dict[int, Argument]:
    """How many words and shifts both have."""
    words = (Windowed.FIRST_WORDS, Windowed.SECOND_WORDS), (Windowed.FIRST_SHIFTS, Windowed.SECOND_SHIFTS)
    counts: dict[int, Argument] = {at: len(s.words) for at, s in zip(words[0], stages, strict=True)}
    return counts | {at: len(s) // Shift.WORDS for at, s in zip(words[1], shifts, strict=True)}


def _counted(one: Stage, strips: Strips) -> dict[int, Argument]:
    """How the convolution is told of lines: by their number, or by that of their pixels."""
    if one.words[Conv.WRAP] == 0:
        return {Windowed.COUNT_WORD: Conv.LINES, Windowed.COUNT: 1}
    return {Windowed.COUNT_WORD: Conv.PIXELS, Windowed.COUNT: strips.width}


def _shifts(stage: Stage) -> list[Argument]:
    rows = ((n, d.buffer, d.sample, d.block, d.line, d.row) for n, d in stage.shifts.items())
    return [word for row in rows for word in row]


def _lines_up(size: Dim) -> Dim:
    return dims.ceildiv(size, LINE_BYTES) * LINE_BYTES
