"""Convolutions of bytes in sums of 16 bits are exact for any weights: what is too much is added again."""

from __future__ import annotations

import numpy as np
import pytest

from sardonyx.base import dtype as dt
from sardonyx.base.policy import Goal
from sardonyx.ir.run import run
from sardonyx.ir.value import Value, make
from sardonyx.kernels.arguments import Conv
from sardonyx.kernels.convolution.again import added_again
from sardonyx.passes.blocking import blocking
from sardonyx.targets.x86_64 import isa
from tests.runnable import need
from tests.unit.kernels.compiled import graph_of, natives


def convolution(x: Value, w: Value, stride: int) -> list[Value]:
    counts = [(n - int(k)) // stride + 1 for n, k in zip(x.shape[2:], w.shape[2:], strict=True)]  # type: ignore[arg-type]
    attrs = {"strides": (stride, stride), "dilations": (1, 1), "group": 1, "low": (0, 0), "high": (0, 0)}
    return [make("conv", (x, w), attrs, dt.I32, (x.shape[0], w.shape[0], *counts))]


@pytest.mark.parametrize("deviation", [12, 30, 300], ids=["small", "some too large", "the largest"])
@pytest.mark.parametrize(
    ("channels", "outputs", "side", "window", "stride"),
    [
        (64, 40, 7, 1, 1),
        (37, 8, 9, 3, 2),
        (37, 130, 9, 3, 2),
        (200, 140, 11, 1, 1),
        (16600, 20, 2, 1, 1),
    ],
    ids=["one tap", "part of a block", "many outputs", "many of one tap", "taps that are cut"],
)
def test_sums_are_exact(
    channels: int,
    outputs: int,
    side: int,
    window: int,
    stride: int,
    deviation: float,
    rng: np.random.Generator,
) -> None:
    x = rng.integers(0, 256, (2, channels, side, side)).astype(np.uint8)
    x[:, :, : side // 2] = 255
    w = np.clip(rng.standard_normal((outputs, channels, window, window)) * deviation, -128, 127).astype(
        np.int8
    )
    graph = graph_of(lambda x, w: convolution(x, w, stride), [x, w], [1])
    (expected,) = run(graph, [x])
    for (got,) in natives(blocking(graph, Goal(isa.V3)), need(isa.V3), [x], [1, 2]):
        assert np.array_equal(got, expected)


def test_other_tiles_and_operands_add_nothing_again(rng: np.random.Generator) -> None:
    bytes_ = rng.integers(0, 256, (1, 32, 5, 5)).astype(np.uint8)
    w = rng.integers(-128, 128, (24, 32, 1, 1)).astype(np.int8)
    wide = isa.with_features(isa.V4, ["avx512vnni"])
    cases = (bytes_, isa.V3, True), (bytes_, wide, False), (bytes_.astype(np.int16), isa.V3, False)
    for x, target, adds in cases:
        weights = w.astype(np.int16) if x.dtype == np.int16 else w
        graph = blocking(graph_of(lambda x, w: convolution(x, w, 1), [x, weights], [1]), Goal(target))
        (anchor,) = (v for v in graph.order() if v.prim == "conv_blocked")
        again = added_again(anchor, Goal(target))
        assert (again is not None) == adds
        assert again is None or again.words[Conv.AGAIN_STEPS]
