"""Convolutions of bytes whose weights are too large for pairs look at what they multiply, and are exact."""

from __future__ import annotations

import numpy as np
import pytest

from sardonyx.base import dtype as dt
from sardonyx.base.policy import Goal
from sardonyx.ir.run import run
from sardonyx.ir.value import Value, make
from sardonyx.kernels.arguments import Conv
from sardonyx.kernels.convolution.again import added_again
from sardonyx.kernels.convolution.outliers import OUTLIERS, OutliersBlock, laid_out_bytes
from sardonyx.llvm.vec import Module
from sardonyx.passes.blocking import blocking
from sardonyx.targets.x86_64 import isa
from tests.runnable import need
from tests.unit.kernels.compiled import graph_of, natives

GOAL = Goal(isa.V3)


def pointwise(x: Value, w: Value) -> list[Value]:
    attrs = {"strides": (1, 1), "dilations": (1, 1), "group": 1, "low": (0, 0), "high": (0, 0)}
    return [make("conv", (x, w), attrs, dt.I32, (x.shape[0], w.shape[0], *x.shape[2:]))]


@pytest.mark.parametrize(("outputs", "most", "how"), [(136, 128, OUTLIERS), (136, 20, ""), (24, 128, "")])
def test_many_outputs_of_large_weights(outputs: int, most: int, how: str, rng: np.random.Generator) -> None:
    x = np.where(rng.integers(0, 30, (2, 70, 3, 7)), rng.integers(0, 90, (2, 70, 3, 7)), 250).astype(np.uint8)
    w = rng.integers(-most, most, (outputs, 70, 1, 1)).astype(np.int8)
    graph = graph_of(pointwise, [x, w], [1])
    blocks = blocking(graph, GOAL)
    (anchor,) = (v for v in blocks.order() if v.prim == "conv_blocked")
    again = added_again(anchor, GOAL)
    assert again is not None
    assert again.how == how
    assert (Conv.TOTALS in again.words) == bool(again.room) == bool(how)
    (expected,) = run(graph, [x])
    for (got,) in natives(blocks, need(isa.V3), [x], [1, 2]):
        assert np.array_equal(got, expected)


def test_a_block_of_tiles_fits_what_it_asks_for() -> None:
    module = Module()
    block = OutliersBlock(module, GOAL)
    block.write()
    assert "conv_gather_outliers" in module.part("conv")
    assert block.f.name == "conv_block_outliers_i8pairs"
    assert laid_out_bytes(GOAL) >= GOAL.target.l2_bytes
