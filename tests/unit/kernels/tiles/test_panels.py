"""Words of a right operand lie where registers read them: panel by panel, step by step, plane by plane."""

from __future__ import annotations

import numpy as np
import pytest

from sardonyx.kernels.tiles.matrix import MatrixShape
from sardonyx.kernels.tiles.panels import Panels
from sardonyx.targets.x86_64 import isa

SHAPES = [MatrixShape(tile) for tile in isa.V4.matrices if tile.name in ("bf16x3", "s8x6")]


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.tile.name)
@pytest.mark.parametrize("n", [16, 32, 80])
@pytest.mark.parametrize("head", [0, 1])
def test_places(shape: MatrixShape, n: int, head: int) -> None:
    steps, planes = 3, shape.planes
    heads = np.arange(n, dtype=np.uint32) + 1
    words = (1000 + np.arange(planes * steps * 16 * n, dtype=np.uint32)).reshape(planes, steps, 16, n)
    to = np.zeros(n * (head + planes * steps * 16), np.uint32)
    panels = Panels(to, n, shape, head)
    if head:
        panels.write_heads(heads)
    for plane in range(planes):
        panels.write(plane, 0, words[plane, :2])
        panels.write(plane, 2, words[plane, 2:])
    at = 0
    for begin in range(0, n, shape.rows):
        width = min(shape.rows, n - begin)
        if head:
            assert to[at : at + width].tolist() == heads[begin : begin + width].tolist()
            at += width
        panel = to[at : at + width * steps * planes * 16].reshape(steps, planes, width // 16, 16, 16)
        for register in range(width // 16):
            columns = slice(begin + 16 * register, begin + 16 * register + 16)
            assert np.array_equal(panel[:, :, register], words[..., columns].swapaxes(0, 1))
        at += panel.size
    assert at == to.size
