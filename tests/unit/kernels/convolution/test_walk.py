"""An image is cut into tiles that cover every pixel; two short lines share one."""

from __future__ import annotations

import re

import numpy as np
import pytest

from sardonyx import targets
from sardonyx.base.policy import Goal
from sardonyx.kernels.arguments import Conv
from sardonyx.kernels.convolution.walk import Tiles, define_block
from sardonyx.kernels.tiles.shape import TileShape
from sardonyx.kernels.tiles.tall import tall_rows
from sardonyx.llvm.vec import Function, Module, V, int_
from tests.unit.llvm.written import run

TARGET = targets.detect()
SHAPE = TileShape.of(Goal(TARGET), "f32")
MOST = SHAPE.max_rows


def cut(lines: int, pixels: int, alone: int = 0, tall: int = 0) -> tuple[int, ...]:
    """Lines a tile, tiles a line, pixels of the largest, and tiles of an image."""

    def write(f: Function, a: V, b: V) -> list[V]:
        words = {Conv.LINES: a, Conv.PIXELS: b, Conv.ALONE: int_(alone), Conv.TALL: int_(tall)}
        tiles = Tiles.of(f, SHAPE, words)
        return [tiles.lines, tiles.pixels.parts, tiles.pixels.largest(f), tiles.count]

    return tuple(int(v[0]) for v in run(write, np.array([lines]), np.array([pixels])))


@pytest.mark.parametrize("tall", [0, 1])
@pytest.mark.parametrize("lines", [1, 2, 5])
@pytest.mark.parametrize("pixels", [1, MOST // 2, MOST // 2 + 1, MOST, MOST + 1, 5 * MOST, 1000])
def test_tiles(lines: int, pixels: int, tall: int) -> None:
    most = tall_rows(SHAPE) if tall else MOST
    per_tile, parts, largest, count = cut(lines, pixels, tall=tall)
    assert per_tile == (2 if 2 * pixels <= most else 1)
    assert per_tile * largest <= most
    assert parts == -(-pixels // most), "no more tiles than are needed"
    assert count == -(-lines // per_tile) * parts


@pytest.mark.parametrize("pixels", [1, MOST // 2, MOST])
def test_lines_that_are_to_be_alone_share_no_tile(pixels: int) -> None:
    assert cut(5, pixels, alone=1) == (1, 1, pixels, 5)


@pytest.mark.parametrize("dtype", ["f32", "f64"])
def test_one_function_serves_all_convolutions(dtype: str) -> None:
    module = Module()
    name = define_block(module, TileShape.of(Goal(TARGET), dtype))
    defined = re.findall(r"^define .*?@(\w+)\(", module.text(), re.M)
    assert defined.count(name) == 1
