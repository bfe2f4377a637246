"""Convolutions of single channels in blocks: several outputs each, where they lie, and who reads them."""

from __future__ import annotations

import numpy as np
import pytest

from sardonyx.base import dtype as dt
from sardonyx.ir.graph import Graph
from sardonyx.ir.value import placeholder
from sardonyx.passes.blocking import blocking
from sardonyx.passes.single_channels import repeated
from tests.unit.passes.graphs import check, parse, prims


def normal(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return rng.standard_normal(shape).astype(np.float32)


def convolution(rng: np.random.Generator, channels: int, many: int, *, fed: bool = False) -> Graph:
    """A limit, a convolution of single channels with steps and gaps, and a limit."""
    w, feeds = normal(rng, channels * many, 1, 3, 2), f"float[{channels * many},1,3,2] w"
    return parse(
        f"g (float[N,{channels},H,W] x{', ' + feeds if fed else ''}) => (float[N,{channels * many},P,Q] y)"
        f" {{ r = Relu(x) c = Conv <group = {channels}, pads = [1,0,1,2], strides = [2,1],"
        " dilations = [1,2]> (r, w) y = LeakyRelu(c) }",
        **({} if fed else {"w": w}),
    )


@pytest.mark.parametrize("many", [1, 2, 3, 8])
@pytest.mark.parametrize("channels", [2, 3, 11, 16, 20, 32, 40])
def test_a_channel_has_several_outputs(rng: np.random.Generator, channels: int, many: int) -> None:
    changed = check(blocking, convolution(rng, channels, many), normal(rng, 2, channels, 7, 8), length=6)
    assert "conv" not in prims(changed), "lanes are channels, however many there are"
    assert "gather" not in prims(changed)


@pytest.mark.parametrize("channels", [3, 16])
def test_weights_may_be_fed(rng: np.random.Generator, channels: int) -> None:
    graph = convolution(rng, channels, 2, fed=True)
    check(blocking, graph, normal(rng, 2, channels, 7, 8), normal(rng, channels * 2, 1, 3, 2), length=6)


@pytest.mark.parametrize(("channels", "lies"), [(3, 4), (12, 5), (17, 4), (24, 5)])
def test_few_channels_stay_in_lines(rng: np.random.Generator, channels: int, lies: int) -> None:
    changed = check(blocking, convolution(rng, channels, 1), normal(rng, 2, channels, 7, 8), length=6)
    assert max(v.rank for v in changed.order() if v.prim == "pad") == lies


@pytest.mark.parametrize(
    ("inputs", "outputs", "kernel", "width", "by_lines"),
    [
        (1, 1, 7, 24, True),
        (3, 4, 3, 24, True),
        (64, 1, 1, 24, True),
        (3, 3, 1, None, True),
        (3, 3, 1, 12, False),
        (4, 4, 5, 24, False),
        (32, 1, 3, 24, False),
        (3, 8, 1, 24, False),
    ],
)
def test_few_results_of_few_terms_are_summed_in_lines(
    rng: np.random.Generator, inputs: int, outputs: int, kernel: int, width: int | None, by_lines: bool
) -> None:
    graph = parse(
        f"g (float[N,{inputs},H,{width or 'W'}] x) => (float[N,{outputs},P,Q] y) {{ r = Relu(x)"
        f" c = Conv <pads = [{', '.join([str(kernel // 2)] * 4)}], strides = [2,1]> (r, w) y = Sigmoid(c) }}",
        w=normal(rng, outputs, inputs, kernel, kernel),
    )
    changed = check(blocking, graph, normal(rng, 2, inputs, 7, width or 9), length=inputs * kernel**2)
    assert ("conv_blocked" not in prims(changed)) == by_lines


@pytest.mark.parametrize("kernel", [1, 4])
def test_few_channels_of_a_signal(rng: np.random.Generator, kernel: int) -> None:
    graph = parse(
        "g (float[N,5,L] x) => (float[N,10,P] y)"
        " { y = Conv <group = 5, strides = [2], pads = [0,3]> (x, w) }",
        w=normal(rng, 10, 1, kernel),
    )
    assert "conv" not in prims(check(blocking, graph, normal(rng, 2, 5, 19), length=kernel))


@pytest.mark.parametrize("channels", [16, 20, 32])
@pytest.mark.parametrize("kernel", [1, 3])
def test_who_reads_the_outputs_finds_them_where_they_lie(
    rng: np.random.Generator, channels: int, kernel: int
) -> None:
    graph = parse(
        f"g (float[N,{channels},H,W] x) => (float[N,20,H,W] y)"
        f" {{ a = Conv <group = {channels}, pads = [1,1,1,1]> (x, w) s = Sigmoid(a)"
        f" b = Conv <group = {2 * channels}, pads = [1,1,1,1]> (s, v)"
        f" y = Conv <pads = [{', '.join([str(kernel // 2)] * 4)}]> (b, u) }}",
        w=normal(rng, 2 * channels, 1, 3, 3),
        v=normal(rng, 2 * channels, 1, 3, 3),
        u=normal(rng, 20, 2 * channels, kernel, kernel),
    )
    changed = check(blocking, graph, normal(rng, 2, channels, 5, 6), length=18 * channels * kernel**2)
    assert "gather" not in prims(changed)
    assert prims(changed).count("conv_blocked") == 1


def test_sequences_have_several_outputs_too(rng: np.random.Generator) -> None:
    graph = parse(
        "g (float[N,24,L] x) => (float[N,48,M] y) { y = Conv <group = 24, pads = [2,1]> (x, w) }",
        w=normal(rng, 48, 1, 5),
    )
    assert "conv" not in prims(check(blocking, graph, normal(rng, 2, 24, 19), length=5))


@pytest.mark.parametrize(
    ("channels", "many", "is_repeated"),
    [(3, 8, True), (10, 2, True), (11, 2, False), (16, 2, False), (3, 1, False), (17, 2, True)],
)
def test_channels_that_leave_most_lanes_empty_are_repeated(
    channels: int, many: int, is_repeated: bool
) -> None:
    found = repeated(placeholder("x", dt.F32, (1, channels, 5, 6)), many, 16)
    assert (found is not None) == is_repeated
    assert found is None or (len(found.at), found.is_in_order) == (channels * many, True)
