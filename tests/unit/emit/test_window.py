"""Windows that slide share what is the same for each tap, in blocks that leave no point out."""

from __future__ import annotations

import re

import numpy as np
import pytest

from sardonyx.base import dim as dims
from sardonyx.base import dtype as dt
from sardonyx.base.dim import Dim
from sardonyx.base.target import Target
from sardonyx.emit.nest import emit
from sardonyx.emit.window import _block_width
from sardonyx.loops.nest import Affine, Apply, Axis, Buffer, Kernel, Load, Reduce, Reduced, Store
from sardonyx.targets.x86_64 import isa
from tests.unit.emit.alone import check


@pytest.mark.parametrize("most", [4, 8])
def test_blocks_waste_little(most: int) -> None:
    for extent in range(1, 40):
        width = _block_width([extent], most)
        assert 0 < width <= min(extent, most), extent
        assert extent <= most or width > most // 2, extent
        assert -extent % width <= min(-extent % other for other in range(most // 2 + 1, most + 1)), extent
    assert _block_width([dims.symbol("n")], most) == most


def depthwise(
    rows: int, points: Dim, pitch: int, row: int, taps: tuple[int, int], step: int
) -> tuple[Kernel, tuple[Buffer, Buffer, Buffer]]:
    """The kernel of a convolution of 16 channels, whose inputs and outputs have so many elements a line."""
    lanes = 16
    x, w, y = Buffer("x", dt.F32, "in"), Buffer("w", dt.F32, "in"), Buffer("y", dt.F32, "out")
    line, pixel, lane = Axis("l", rows), Axis("p", points), Axis("c", lanes)
    a, b = Axis("a", taps[0]), Axis("b", taps[1])
    at = Affine(0, ((line, pitch), (pixel, step * lanes), (lane, 1), (a, pitch), (b, lanes)))
    total = Reduced("t", dt.F32, frozenset([line, pixel, lane]))
    weight = Affine(0, ((a, taps[1] * lanes), (b, lanes), (lane, 1)))
    product = Apply("mul", (Load(x, at, dt.F32), Load(w, weight, dt.F32)), dt.F32)
    to = Affine(0, ((line, row), (pixel, lanes), (lane, 1)))
    body = (Reduce(total, "sum", (a, b), product), Store(y, to, (), total))
    return Kernel("k", (line, pixel, lane), body, (), vector=lane), (x, w, y)


@pytest.mark.parametrize("points", [1, 7, 8, 13, 16, 19])
@pytest.mark.parametrize("open_", [False, True])
@pytest.mark.parametrize("step", [1, 2])
@pytest.mark.parametrize("taps", [(3, 3), (1, 5)])
def test_a_depthwise_convolution(points: int, open_: bool, step: int, taps: tuple[int, int]) -> None:
    lanes, rows = 16, 5
    pitch = ((points - 1) * step + taps[1]) * lanes
    kernel, (x, w, y) = depthwise(
        rows, dims.symbol("n") if open_ else points, pitch, points * lanes, taps, step
    )
    rng = np.random.default_rng(points)
    memory = {
        x: rng.integers(-5, 5, (rows + taps[0] - 1) * pitch).astype(np.float32),
        w: rng.integers(-5, 5, taps[0] * taps[1] * lanes).astype(np.float32),
        y: np.zeros(rows * points * lanes, np.float32),
    }
    check(kernel, memory, {"n": points})


@pytest.mark.parametrize("target", isa.TARGETS, ids=lambda target: target.name)
def test_a_block_reads_each_weight_and_pixel_once(target: Target) -> None:
    """However many vectors the channels of a pixel are."""
    kernel, _ = depthwise(rows=5, points=16, pitch=18 * 16, row=16 * 16, taps=(3, 3), step=1)
    text = emit(kernel, target).ir
    products, loads = (len(re.findall(of, text)) for of in (r"= call .*llvm\.fma", r"= load <\d+ x float>"))
    assert (products, loads) == (8 * 9, 3 * (8 + 2) + 9)
