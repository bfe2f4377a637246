"""A convolution with its epilogue -> one call of the convolution kernel."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from sardonyx.base import dim as dims
from sardonyx.base import dtype as dt
from sardonyx.base.dataclass import replace
from sardonyx.base.dim import Dim
from sardonyx.base.policy import Goal
from sardonyx.base.tile import MatrixTile
from sardonyx.ir.group import Group
from sardonyx.ir.place import Place, Storage
from sardonyx.ir.value import Value, const
from sardonyx.kernels.arguments import Conv
from sardonyx.kernels.call import Address, Argument, Entry, NativeCall
from sardonyx.kernels.contraction import Contraction, results_of
from sardonyx.kernels.convolution import pack as layouts
from sardonyx.kernels.convolution.abreast import abreast_of
from sardonyx.kernels.convolution.again import added_again
from sardonyx.kernels.convolution.beside import together_of, used_of
from sardonyx.kernels.convolution.choose import are_split, band_bytes, panel_bytes, pixels_of_a_line, runs_on
from sardonyx.kernels.convolution.cost import samples_are_lines
from sardonyx.kernels.convolution.end import end_words
from sardonyx.kernels.convolution.grouped import Few, few_channels
from sardonyx.kernels.convolution.matrix import chosen, gathered_bytes
from sardonyx.kernels.convolution.normed import even_norm, norm_words, powers_in
from sardonyx.kernels.convolution.parts import Run, run_table, runs_by_group
from sardonyx.kernels.convolution.reach import reach_words
from sardonyx.kernels.convolution.tall import is_tall
from sardonyx.kernels.convolution.taps import Taps, pack_taps, taps_of
from sardonyx.kernels.digits.even import evened
from sardonyx.kernels.loops import Emissions
from sardonyx.kernels.packing import packed
from sardonyx.kernels.scratch import convolution_bytes
from sardonyx.kernels.tiles.beside import pick_name
from sardonyx.kernels.tiles.shape import BY_LEFT, TileShape
from sardonyx.kernels.tiles.tall import PICK, tall_rows
from sardonyx.loops.cost import extent_of
from sardonyx.loops.lower import lower
from sardonyx.loops.nest import Affine, Axis, Kernel
from sardonyx.loops.rewrite import merge_pair


def conv_call(
    group: Group,
    places: Mapping[int, Place],
    goal: Goal,
    emissions: Emissions,
    band: MatrixTile | None = None,
) -> tuple[NativeCall, Mapping[str, str]]:
    """The call of a blocked or plain convolution, and the IR modules it needs by name.

    A `band` of input is split and multiplied on matrix registers if there is a tile of them.
    """
    anchor = group.anchor
    assert anchor is not None
    x, w = anchor.args[:2]
    again = added_again(anchor, goal)
    operand = BY_LEFT[dt.F32] if band else again.operand if again else BY_LEFT[x.dtype]
    kernel = lower(group, places)[0]
    natural = kernel.outer[-3:-1]
    words, x_at = _input_words(anchor, _around(anchor, places[x.id]), kernel, goal.tile(operand).k_step)
    few = few_channels(anchor, places[x.id], goal) or taps_of(anchor, places[x.id], goal)
    matrix = band or chosen(anchor, goal)
    on_vectors = not (matrix or few or again)
    shape, tall = TileShape.of(goal, operand), on_vectors and is_tall(anchor, goal)
    if few is None and anchor.prim == "conv_blocked" and samples_are_lines(anchor):
        kernel = _exchanged(kernel, 0, len(kernel.outer) - 3)
    else:
        kernel, (x_at,) = _flatten(kernel, x_at, anchor)
    if few is None and band is None and "missing" not in anchor.attrs:
        kernel = _along_the_longer(kernel, tall_rows(shape) if tall else shape.max_rows)
    blocked_out = anchor.prim == "conv_blocked"
    if blocked_out:
        sample, block, line, pixel, lane = kernel.outer
    else:
        sample, line, pixel, lane = kernel.outer
        block = Axis("none", 1)
    words |= {Conv.BATCH: sample.extent} | _lines(anchor, x_at, (line, pixel), band)
    strides = (Conv.X_BATCH, sample), (Conv.X_LINE, line), (Conv.X_PIXEL, pixel)
    words |= {word: x_at.factor(axis) for word, axis in strides}
    words |= {Conv.PLAIN: int(not blocked_out), Conv.L2_BYTES: goal.target.l2_bytes}
    words |= again.words if again else {}
    beside = 1 if again or band or few else together_of(anchor, goal)
    weights, start = (again.weights, 0) if again else _weights(anchor, places, goal, few, band, beside)
    words |= {Conv.W: Address(weights, start)} | _picks(operand, beside, tall) | _content_words(anchor, band)
    words |= {Conv.FLOATS: int(band is not None and are_split(anchor, band, goal))}
    if band and x.rank == 4 and band.operand == "fixed24":
        words |= {Conv.ABREAST: abreast_of(anchor, band).lines}
    axes = (sample, block, line, pixel, lane)
    words |= _reach(anchor, words, (line, pixel) == natural) if on_vectors and beside == 1 else {}
    end = end_words(kernel, anchor.dtype, Conv, axes, emissions, **_may(operand, on_vectors, band, goal))
    call = Contraction(Conv, words, end, kernel, (places[x.id].storage, weights)).call(
        f"sdx_conv_{again.how if again else _how(few, matrix)}{_input_of(x) if band else ''}{operand}",
        "conv",
        work=anchor.size * dims.product(w.shape[1:]) * 2,
        flops=results_of(anchor) * dims.product(w.shape[1:]) * 2,
        scratch_bytes=convolution_bytes() + (again.room if again else _room(anchor, band, goal)),
        arithmetic=f"{matrix or goal.tile(operand)}{', any weights' if again and again.how else ''}",
        plan=_plan(anchor, end.plan),
    )
    return call, end.modules


def _around(anchor: Value, place: Place) -> Place:
    """Where an image would begin with the zeros around it that are not there."""
    missing = anchor.attrs.get("missing", (0, 0))
    before = sum(n * stride for n, stride in zip(missing, place.strides[2:4], strict=False))
    return replace(place, offset=place.offset - before)


def _reach(anchor: Value, words: Mapping[int, Argument], in_order: bool) -> dict[int, Argument]:
    """What is known of an image, its lines and pixels in order; of columns only if each is a tap."""
    known = reach_words(anchor) if in_order else {}
    if words[Conv.TAPS3] != anchor.args[1].shape[3]:
        known.pop(Conv.WIDTH, None)
    return known


def _may(operand: str, on_vectors: bool, band: MatrixTile | None, goal: Goal) -> dict[str, bool]:
    """What the end may be beside a finish."""
    is_float = on_vectors and operand == "f32"
    gates = is_float and goal.policy.may_transform
    return {"may_round": band is not None, "may_gate": gates, "may_leak": is_float}


def _weights(
    anchor: Value,
    places: Mapping[int, Place],
    goal: Goal,
    few: Few | None,
    band: MatrixTile | None,
    beside: int,
) -> tuple[Storage, Dim]:
    """Where the weights lie as the kernel reads them."""
    x, w, *laid_out = anchor.args
    if few is not None:
        return _weights_of_few(w, few, goal), 0
    if laid_out:
        place = places[laid_out[0].id]
        assert place.strides == (1,)
        return place.storage, place.offset
    return _pack(w, anchor, goal, band, beside, blocked_in=x.rank == 5), 0


def _content_words(anchor: Value, band: MatrixTile | None) -> dict[int, Argument]:
    """Where the channels of groups lie, if not in order; what they are multiplied by, if they are cut so."""
    powers = powers_in(anchor, band) if band else None
    even = {} if powers is None else norm_words(even_norm(anchor.args[0], powers))
    return _run_words(anchor) | even


def _room(anchor: Value, band: MatrixTile | None, goal: Goal) -> int:
    """Bytes for what is gathered, or for a band and the parts of a panel of weights."""
    if band is None:
        matrix = chosen(anchor, goal)
        return gathered_bytes(anchor, matrix, goal) if matrix else 0
    parts = panel_bytes(anchor, band) if are_split(anchor, band, goal) else 0
    return band_bytes(goal.target) + parts


def _how(few: Few | None, matrix: MatrixTile | None) -> str:
    """What names of kernels say before the operand."""
    name = few.name if few else matrix.name if matrix else ""
    return f"{name}_" if name else ""


def _input_of(x: Value) -> str:
    """What names of kernels on bands of input say of it."""
    if x.rank == 4:
        return "plain_"
    return "halves_" if x.dtype is dt.BF16 else ""


def _plan(anchor: Value, end: str) -> str:
    x, w = anchor.args[:2]
    shape = "x".join(map(str, w.shape))
    layouts = f"{'blocked' if x.rank == 5 else 'plain'} in{'' if x.dtype is dt.F32 else f' as {x.dtype}'}"
    return f"{shape} stride {anchor.attrs['strides']}, {layouts}, end {end}"


def _input_words(
    anchor: Value, place: Place, kernel: Kernel, depth: int
) -> tuple[dict[int, Argument], Affine]:
    """The words of taps and channels, in steps of `depth`, and the address of an output point's first tap."""
    x, w = anchor.args[:2]
    at: dict[str, Any] = anchor.attrs
    group, strides, dilations = at["group"], at["strides"], at["dilations"]
    outputs, per, rows, columns = (int(n) for n in w.shape)  # type: ignore[arg-type]
    (row_stride, step), (row_dilation, dilation) = strides, dilations
    blocked, spatial = x.rank == 5, place.strides[2:4]
    sample, line, pixel = kernel.outer[0], kernel.outer[-3], kernel.outer[-2]
    x_at = Affine(place.offset) + Affine(
        0,
        tuple(
            (a, f)
            for a, f in (
                (sample, place.strides[0]),
                (line, spatial[0] * row_stride),
                (pixel, spatial[1] * step),
            )
            if f != 0
        ),
    )
    words: dict[int, Argument] = {Conv.X: Address.of(place), Conv.GROUPS: group}
    words |= {Conv.CHANNELS_IN: per, Conv.X_CHANNEL: place.strides[1]}
    words |= {Conv.CHANNELS: used_of(anchor), Conv.GROUP_PITCH: outputs // group}
    words |= {Conv.TAPS1: 1, Conv.TAPS2: rows, Conv.X_TAP2: spatial[0] * row_dilation}
    words |= {Conv.TAPS3: columns, Conv.X_TAP3: spatial[1] * dilation, Conv.STEPS: int(not blocked)}
    if not blocked and dilation == 1 and spatial[1] == 1:
        words |= {Conv.TAPS3: 1, Conv.STEPS: columns // depth}
    return words, x_at


def _flatten(kernel: Kernel, x_at: Affine, anchor: Value) -> tuple[Kernel, tuple[Affine, ...]]:
    """Lines and pixels of a pointwise convolution as one line, where memory runs on."""
    if any(n != 1 for n in anchor.args[1].shape[2:]):
        return kernel, (x_at,)
    return merge_pair(kernel, (x_at,), len(kernel.outer) - 3)


def _lines(
    anchor: Value, x_at: Affine, axes: tuple[Axis, Axis], band: MatrixTile | None
) -> dict[int, Argument]:
    """The words of lines and pixels: tiles may take all as one line where those of the input run on."""
    line, pixel = (axis.extent for axis in axes)
    usual: dict[int, Argument] = {Conv.LINES: line, Conv.PIXELS: pixel}
    known = isinstance(line, int) and isinstance(pixel, int) and line > 1
    if band is None or not known or anchor.args[0].rank != 5 or not runs_on(anchor, band):
        return usual
    pitch = pixels_of_a_line(anchor)
    if x_at.factor(axes[0]) != x_at.factor(axes[1]) * pitch:
        return usual
    all_pixels = (line - 1) * pitch + pixel
    return {Conv.LINES: 1, Conv.PIXELS: all_pixels, Conv.WRAP: pixel, Conv.WRAP_PITCH: pitch}


def _along_the_longer(kernel: Kernel, rows: int) -> Kernel:
    """Lines and pixels exchanged where two short lines would leave much of a tile of `rows` pixels empty.

    Not where lines are longer: pixels far apart, often by a power of two, are read and written more slowly.
    """
    at = len(kernel.outer) - 3
    line, pixel = kernel.outer[at : at + 2]
    short = isinstance(pixel.extent, int) and 3 * pixel.extent <= rows
    if not short or _tiles(line, pixel, rows) <= _tiles(pixel, line, rows):
        return kernel
    return _exchanged(kernel, at, at + 1)


def _exchanged(kernel: Kernel, one: int, other: int) -> Kernel:
    """The kernel with two of its outer axes in each other's place."""
    outer = list(kernel.outer)
    outer[one], outer[other] = outer[other], outer[one]
    return replace(kernel, outer=tuple(outer))


def _tiles(line: Axis, pixel: Axis, rows: int) -> int:
    """Tiles of an image: of two short lines, or of a part of a line."""
    lines, pixels = extent_of(line), extent_of(pixel)
    return -(-lines // 2) if pixels * 2 <= rows else lines * -(-pixels // rows)


def _weights_of_few(w: Value, few: Few, goal: Goal) -> Storage:
    if isinstance(few, Taps):
        block = goal.target.channel_block
        return packed(w, ("taps", few, block), lambda data: pack_taps(data, few, block))
    return packed(w, ("grouped", goal), lambda data: layouts.pack_grouped_weights(data, goal))


def _pack(
    w: Value, anchor: Value, goal: Goal, band: MatrixTile | None, beside: int, *, blocked_in: bool
) -> Storage:
    assert w.data is not None
    group, dims_ = anchor.attrs["group"], w.data.shape
    if band and not blocked_in and band.operand == "fixed24":
        step = anchor.attrs["strides"][0]
        return packed(
            w, ("abreast", step, band), lambda data: layouts.pack_abreast_weights(data, step, band, goal)
        )
    if band and not blocked_in:
        return packed(w, ("plain", band), lambda data: layouts.pack_plain_matrix_weights(data, band, goal))
    if band and are_split(anchor, band, goal):
        return packed(w, ("floats", band), lambda data: layouts.pack_float_weights(data, band, goal))
    if band:
        is_uneven = powers_in(anchor, band) is not None
        shape = layouts.matrix_conv_shape(dims_, group, band, goal) if w.dtype is dt.F32 else None

        def pack_band(data: np.ndarray) -> np.ndarray:
            return layouts.pack_matrix_weights(evened(data) if is_uneven else data, group, band, goal)

        return packed(w, ("conv", group, band, is_uneven), pack_band, shape)
    if not blocked_in:
        return packed(w, ("plain", group, goal), lambda data: layouts.pack_plain_weights(data, group, goal))
    counts, used = tuple(tuple(count for _, count in runs) for runs in _runs(anchor)), used_of(anchor)

    def pack(data: np.ndarray) -> np.ndarray:
        own = layouts.used_outputs(data, group, used)
        return layouts.pack_conv_weights(own, group, goal, counts, beside)

    shape = layouts.conv_shape((group * used, *dims_[1:]), group, goal) if w.dtype is dt.F32 else None
    return packed(w, ("conv", group, goal, counts, used, beside), pack, shape)


def _picks(operand: str, beside: int, tall: bool) -> dict[int, Argument]:
    """What picks micro-kernels: of a last panel whose columns have so many lanes, or of tall tiles."""
    if beside > 1:
        return {Conv.BESIDE: Entry(pick_name(operand, beside))}
    return {Conv.TALL: Entry(PICK)} if tall else {}


def _run_words(anchor: Value) -> dict[int, Argument]:
    """Where the channels of groups lie, if not in order."""
    runs = _runs(anchor)
    if not runs:
        return {}
    table = const(run_table(runs))
    place = Address(Storage("packed", table.dtype, table.size, 0, table))
    return {Conv.RUNS: place, Conv.MOST_RUNS: max(map(len, runs))}


def _runs(anchor: Value) -> list[list[Run]]:
    return runs_by_group(anchor.attrs.get("runs", ()), int(anchor.args[1].shape[1]))  # type: ignore[arg-type]
