"""A convolution becomes one call: its words say how taps, channels, lines and pixels lie in memory."""

from __future__ import annotations

from functools import reduce
from typing import Any

import numpy as np
import pytest

from sardonyx import targets
from sardonyx.base import dtype as dt
from sardonyx.base.policy import Goal
from sardonyx.base.target import Target
from sardonyx.fuse.partition import partition
from sardonyx.ir.graph import Graph
from sardonyx.ir.run import run
from sardonyx.ir.value import Value, const, make, placeholder
from sardonyx.kernels.arguments import Conv
from sardonyx.kernels.call import Entry, NativeCall
from sardonyx.kernels.convolution.call import conv_call
from sardonyx.kernels.loops import Emissions
from sardonyx.passes import PIPELINE
from tests.runnable import runnable_targets
from tests.tolerance import assert_close
from tests.unit.kernels.compiled import native
from tests.unit.passes.graphs import parse

GOAL = Goal(targets.detect())


def conv(
    kernel: tuple[int, ...],
    step: int = 1,
    dilation: int = 1,
    group: int = 1,
    spatial: tuple[int, ...] = (9, 12),
) -> Any:
    """A convolution of 6 to 8 channels, and its input."""
    x = placeholder("x", dt.F32, (2, 6, *spatial))
    w = const(np.ones((8, 6 // group, *kernel), np.float32))
    rank = len(kernel)
    attrs = {
        "strides": (step,) * rank,
        "dilations": (dilation,) * rank,
        "low": (0,) * rank,
        "high": (0,) * rank,
    }
    sizes = [(n - (k - 1) * dilation - 1) // step + 1 for n, k in zip(spatial, kernel, strict=True)]
    return make("conv", (x, w), {**attrs, "group": group}, dt.F32, (2, 8, *sizes)), x


def call_of(result: Value, x: Value) -> tuple[NativeCall, dict[str, str]]:
    fusion = partition(Graph((x,), (("y", result),)))
    (group,) = (g for g in fusion.groups if g.kind == "contract")
    return conv_call(group, fusion.places, GOAL, Emissions(GOAL.target))


def test_taps_and_strides_of_a_plain_image() -> None:
    call, modules = call_of(*conv((3, 2), step=2))
    w = call.words
    assert modules == {}
    assert [w[n] for n in (Conv.BATCH, Conv.GROUPS, Conv.CHANNELS_IN, Conv.CHANNELS)] == [2, 1, 6, 8]
    assert [w[n] for n in (Conv.LINES, Conv.PIXELS, Conv.X_LINE, Conv.X_PIXEL)] == [4, 6, 24, 2]
    assert [w[n] for n in (Conv.TAPS1, Conv.TAPS2, Conv.TAPS3, Conv.STEPS)] == [1, 3, 1, 2], (
        "a row is one tap"
    )
    assert [w[n] for n in (Conv.X_TAP2, Conv.X_CHANNEL, Conv.X_BATCH, Conv.PLAIN)] == [12, 108, 648, 1]
    assert call.plan == "8x6x3x2 stride (2, 2), plain in, end in registers"


def test_dilated_columns_are_taps_of_their_own() -> None:
    w = call_of(*conv((3, 3), dilation=2))[0].words
    assert [w[n] for n in (Conv.TAPS3, Conv.STEPS, Conv.X_TAP3, Conv.X_TAP2)] == [3, 1, 2, 24]


def test_a_pointwise_convolution_is_one_line() -> None:
    w = call_of(*conv((1, 1)))[0].words
    assert [w[n] for n in (Conv.LINES, Conv.PIXELS)] == [1, 108]


@pytest.mark.parametrize(
    ("spatial", "lines", "pixels"), [((40, 1), 1, 40), ((40, 2), 2, 40), ((3, 40), 3, 40), ((76, 32), 76, 32)]
)
def test_a_high_image_is_read_along_its_height(spatial: tuple[int, int], lines: int, pixels: int) -> None:
    result, x = conv((3, 1), spatial=(spatial[0] + 2, spatial[1]))
    w = call_of(result, x)[0].words
    assert [w[n] for n in (Conv.LINES, Conv.PIXELS)] == [lines, pixels]
    along = spatial[1] if pixels != spatial[1] else 1
    assert w[Conv.X_PIXEL] == along
    assert w[Conv.X_TAP2] == spatial[1], "taps stay where they are"


@pytest.mark.parametrize("target", runnable_targets(), ids=lambda t: t.name)
@pytest.mark.parametrize("size", [(40, 1), (23, 3), (61, 2)])
@pytest.mark.parametrize("channels", [3, 24])
def test_a_high_image_gives_the_same(
    size: tuple[int, int], channels: int, target: Target, rng: np.random.Generator
) -> None:
    shape = (2, channels, *size)
    graph = parse(
        f"g (float[{','.join(map(str, shape))}] x) => (float[2,20,P,Q] y)"
        " { c = Conv <pads = [1,0,1,0], strides = [2,1]> (x, w, b) t = Tanh(c)"
        " r = Conv(t, v) y = Add(t, r) }",
        w=rng.standard_normal((20, channels, 3, 1)).astype(np.float32),
        v=rng.standard_normal((20, 20, 1, 1)).astype(np.float32),
        b=rng.standard_normal(20).astype(np.float32),
    )
    feed = rng.standard_normal(shape).astype(np.float32)
    changed = reduce(lambda g, change: change(g, Goal(target)), PIPELINE, graph)
    for one, other in zip(native(changed, target, [feed]), run(graph, [feed]), strict=True):
        assert_close(one, other, 3 * channels)


@pytest.mark.parametrize("group", [1, 2])
def test_groups_have_their_share_of_channels(group: int) -> None:
    call, _ = call_of(*conv((3, 3), group=group))
    words = Conv.GROUPS, Conv.CHANNELS_IN, Conv.CHANNELS, Conv.GROUP_PITCH
    assert [call.words[n] for n in words] == [group, 6 // group, 8 // group, 8 // group]
    assert call.work == 2 * 8 * 7 * 10 * (6 // group * 9) * 2


def test_another_end_is_a_function() -> None:
    y, x = conv((3, 3))
    call, modules = call_of(y.exp(), x)
    (symbol,) = modules
    assert call.words[Conv.EPILOGUE] == Entry(symbol)
