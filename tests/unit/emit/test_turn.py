"""A matrix is copied and turned, whatever its sides, and nothing beside it is touched."""

from __future__ import annotations

import ctypes
from functools import cache
from typing import Any

import numpy as np
import pytest

from sardonyx import targets
from sardonyx.base.target import Target
from sardonyx.emit.turn import Turn, turns
from sardonyx.object import executor
from sardonyx.runtime.image import LoadedImage
from sardonyx.targets.x86_64 import isa
from tests.runnable import runnable_targets
from tests.unit.kernels.native import guarded
from tests.unit.objects import compiled, loaded

ELEMENTS = {"i8": np.int8, "i16": np.int16, "float": np.float32, "double": np.float64}
_TURN = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p, ctypes.c_int64] * 2, ctypes.c_int64, ctypes.c_int64)


@cache
def image(target: Target, turn: Turn) -> LoadedImage:
    return loaded([compiled(text, target) for text in (executor.ir(target), turn.ir(target))], target)


def run(target: Target, turn: Turn, source: Any, pitches: tuple[int, int], to: Any, shape: Any) -> None:
    address = image(target, turn).address(turn.symbol)
    _TURN(address)(source.ctypes.data, pitches[0], to.ctypes.data, pitches[1], *shape)


@pytest.mark.parametrize("target", runnable_targets(), ids=lambda t: t.name)
@pytest.mark.parametrize("memory", ELEMENTS)
@pytest.mark.parametrize("gap", [0, 3])
def test_every_element_is_moved_and_no_other_is_touched(target: Target, memory: str, gap: int) -> None:
    (turn,) = (turn for turn in turns(target) if turn.memory == memory)
    dtype = ELEMENTS[memory]
    side = turn.lanes
    for rows in (0, 1, 2, side - 1, side, side + 1, 2 * side, 3 * side - 1):
        for columns in (0, 1, side // 2, side - 1, side, side + 1, 3 * side):
            pitches = columns + gap, rows + gap
            read = (rows - 1) * pitches[0] + columns if rows and columns else 0
            written = (columns - 1) * pitches[1] + rows if rows and columns else 0
            source = guarded(np.random.default_rng(rows).integers(-99, 99, read).astype(dtype))
            to, expected = guarded(np.full(written, 77, dtype)), np.full(written, 77, dtype)
            for column in range(columns if rows else 0):
                place = column * pitches[1]
                expected[place : place + rows] = source[column :: pitches[0]][:rows]
            run(target, turn, source, pitches, to, (rows, columns))
            np.testing.assert_array_equal(to, expected, err_msg=f"{rows} x {columns}")


def test_elements_of_one_size_share_a_function() -> None:
    assert Turn.of("half", 16) == Turn.of("i16", 16)
    assert Turn.of("i64", 8).symbol == "sdx_turn_double_8"
    assert len({turn.symbol for turn in turns(isa.V4)}) == len(turns(isa.V4)) == 4
    assert {turn.lanes for turn in turns(targets.detect())} <= {8, targets.detect().lanes}
