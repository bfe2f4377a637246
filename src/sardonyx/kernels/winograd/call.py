"""A convolution with its epilogue -> one call of the kernel by transforms."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from sardonyx.base import dim as dims
from sardonyx.base import dtype as dt
from sardonyx.base.dataclass import replace
from sardonyx.base.policy import Goal
from sardonyx.ir.group import Group
from sardonyx.ir.place import Place, Storage
from sardonyx.ir.value import Value, const
from sardonyx.kernels.arguments import Winograd
from sardonyx.kernels.call import Address, Argument, Entry, NativeCall
from sardonyx.kernels.contents import allows
from sardonyx.kernels.contraction import Contraction, EndWords, results_of
from sardonyx.kernels.convolution.end import end_words
from sardonyx.kernels.digits.even import evened, powers_of
from sardonyx.kernels.loops import Emissions
from sardonyx.kernels.packing import packed
from sardonyx.kernels.tiles.beside import pick_name, unread_bytes
from sardonyx.kernels.tiles.shape import TileShape
from sardonyx.kernels.winograd.beside import together_of
from sardonyx.kernels.winograd.blocking import blocking, few_tiles
from sardonyx.kernels.winograd.pack import pack_winograd_weights, winograd_shape
from sardonyx.kernels.winograd.scheme import Scheme
from sardonyx.loops.lower import lower


def winograd_call(
    group: Group, places: Mapping[int, Place], goal: Goal, emissions: Emissions, scheme: Scheme
) -> tuple[NativeCall, Mapping[str, str]]:
    """The call with those tiles, and the IR modules it needs by name.

    Lines and pixels are exchanged where a window has lines alone.
    """
    anchor = group.anchor
    assert anchor is not None
    x, w = anchor.args
    kernel = lower(group, places)[0]
    place = places[x.id]
    spatial, steps = place.strides[2:4], anchor.attrs["dilations"]
    if tuple(w.shape[2:]) != scheme.taps:
        sample, block, line, pixel, lane = kernel.outer
        kernel = replace(kernel, outer=(sample, block, pixel, line, lane))
        spatial, steps = spatial[::-1], steps[::-1]
    axes = kernel.outer[:4]
    sample, _, line, pixel = axes
    channels_out, channels = int(w.shape[0]), int(w.shape[1])  # type: ignore[arg-type]
    together = together_of(anchor, scheme, goal)
    weights, powers = _weights(w, scheme, goal, together)
    per_group = channels_out // anchor.attrs["group"]
    cut = blocking(channels, per_group, scheme, goal)
    words: dict[int, Argument] = {
        Winograd.X: Address.of(place),
        Winograd.W: Address(weights),
        Winograd.BATCH: sample.extent,
        Winograd.LINES: line.extent,
        Winograd.PIXELS: pixel.extent,
        Winograd.CHANNELS_IN: channels,
        Winograd.CHANNELS: channels_out,
        Winograd.TILES: cut.tiles,
        Winograd.PANELS: cut.panels,
        Winograd.TILE_PITCH: cut.tile_pitch,
        Winograd.POINT_PITCH: cut.point_pitch,
        Winograd.FEW_TILES: few_tiles(channels, per_group, scheme, goal),
        Winograd.GROUPS: anchor.attrs["group"],
        Winograd.L2_BYTES: goal.target.l2_bytes,
        Winograd.LINE_STEP: steps[0],
        Winograd.PIXEL_STEP: steps[1],
    }
    strides = (*place.strides[:2], *spatial)
    words |= {Winograd.X_BATCH + n: stride for n, stride in enumerate(strides)} | powers
    words |= _beside_words(channels, together, goal)
    end = end_words(kernel, anchor.dtype, Winograd, axes, emissions, may_leak=anchor.dtype is dt.F32)
    call = Contraction(Winograd, words, end, kernel, (place.storage, weights)).call(
        f"sdx_winograd_{scheme.name}",
        "conv",
        work=dims.floordiv(anchor.size * (2 * channels * scheme.points), scheme.pixels),
        flops=dims.floordiv(results_of(anchor) * (2 * channels * scheme.points), scheme.pixels),
        scratch_bytes=cut.scratch_bytes,
        arithmetic=str(scheme.tile or goal.tile(scheme.operand)),
        plan=f"{'x'.join(map(str, w.shape))} winograd {scheme.text}, end {_where(end)}",
    )
    return call, end.modules


def _beside_words(channels: int, together: int, goal: Goal) -> dict[int, Argument]:
    """What picks the micro-kernels of a last vector whose outputs have so many lanes, and what it leaves."""
    if together == 1:
        return {}
    unread = unread_bytes(channels, together, TileShape.of(goal, "f32"))
    return {Winograd.BESIDE: Entry(pick_name("f32", together)), Winograd.UNREAD_BYTES: unread}


def _weights(w: Value, scheme: Scheme, goal: Goal, together: int) -> tuple[Storage, dict[int, Argument]]:
    """Where transformed weights lie, and what channels are multiplied by, if by anything."""
    assert w.data is not None
    powers = allows(w, powers_of) if scheme.tile else None

    def pack(data: np.ndarray) -> np.ndarray:
        return pack_winograd_weights(data if powers is None else evened(data), scheme, goal, together)

    shape = winograd_shape(w.data.shape, scheme, goal) if w.dtype is dt.F32 else None
    weights = packed(w, ("winograd", scheme, goal, powers is not None, together), pack, shape)
    if powers is None:
        return weights, {}
    table = const(powers)
    return weights, {Winograd.POWERS: Address(Storage("packed", table.dtype, table.size, 0, table))}


def _where(end: EndWords) -> str:
    return "per line" if end.modules else end.plan
