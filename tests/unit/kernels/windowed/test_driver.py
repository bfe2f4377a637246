"""Strips of a convolution and of the windows over it give what both give whole, on every target."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
import pytest

from sardonyx import targets
from sardonyx.base.dataclass import replace
from sardonyx.base.policy import Goal
from sardonyx.base.target import Target
from sardonyx.ir.run import run
from sardonyx.kernels.arguments import Conv, Windowed
from sardonyx.kernels.library import windowed_ir
from sardonyx.kernels.windowed import driver
from sardonyx.llvm.vec import Module
from sardonyx.object import executor
from sardonyx.targets.x86_64 import isa
from tests.runnable import need
from tests.tolerance import assert_close
from tests.unit.kernels.compiled import natives
from tests.unit.kernels.native import KERNEL, execute, guarded
from tests.unit.kernels.windowed.followed import POOL, graph_of, windowed
from tests.unit.objects import compiled, loaded

AMX = isa.with_features(isa.V4, {f for tile in isa.V4.matrices for f in tile.features})
TARGETS = [isa.V3, isa.V4, AMX]
RELU = "a = Conv(x, w, b) c = Relu(a)"
HARD = "a = Conv(x, w, b) c = HardSwish(a)"
ADDED = "r = Conv(x, w) a = Conv(x, w, b) s = Add(a, r) c = Relu(s)"
CASES: dict[str, dict[str, Any]] = {
    "same": {"how": "pads = [1,1,1,1]"},
    "step 2, wide window": {"how": "pads = [2,2,2,2], strides = [2,2]", "window": (5, 5)},
    "no border": {"how": "strides = [1,1]", "shape": (1, 16, 17, 9)},
    "border on one side": {"how": "pads = [0,0,2,1]", "shape": (2, 24, 15, 22), "channels": 33},
    "dilated": {"how": "pads = [2,2,2,2], dilations = [2,2]", "shape": (1, 16, 24, 14), "channels": 16},
    "border beyond the image": {"how": "pads = [4,0,9,0]", "shape": (1, 16, 6, 14)},
    "steps over lines": {"how": "strides = [4,1]", "shape": (1, 16, 30, 14)},
    "another end": {"how": "pads = [1,1,1,1]", "first": HARD, "shape": (2, 16, 20, 20)},
    "a sum": {"how": "pads = [1,1,1,1]", "first": ADDED, "shape": (2, 16, 20, 20)},
    "pool": {"how": "pads = [1,1,1,1], strides = [2,2]", "then": POOL, "shape": (2, 16, 21, 20)},
    "first layer": {"how": "pads = [1,1,1,1]", "shape": (2, 3, 30, 31), "taps": (3, 3)},
    "groups": {
        "how": "pads = [1,1,1,1]",
        "first": "a = Conv<group = 2>(x, w, b) c = Relu(a)",
        "shape": (2, 48, 17, 15),
        "inner": 24,
        "channels": 68,
    },
    "many channels": {"how": "pads = [2,2,2,2]", "shape": (1, 64, 14, 14), "channels": 240, "window": (5, 5)},
}


@pytest.mark.parametrize("target", TARGETS, ids=["AVX2", "AVX-512", "AMX"])
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("l2_bytes", [96 << 10, 2 << 20])
def test_strips_are_the_whole(case: str, target: Target, l2_bytes: int, rng: np.random.Generator) -> None:
    target = replace(need(target), l2_bytes=l2_bytes)
    graph = graph_of(target, **CASES[case])
    assert windowed(graph)[1], "it is joined"
    feed = rng.standard_normal(graph.inputs[0].shape).astype(np.float32)
    if case == "same":
        feed[0, 3, 4, 5], feed[0, 7, 11, 2] = np.nan, np.inf
    (exact,) = run(graph, [feed])
    longest = max(64, CASES[case].get("channels", 0))
    for (got,) in natives(graph, target, [feed], (1, 3)):
        assert_close(got, exact, longest)


def test_strips_of_digits_are_the_whole(rng: np.random.Generator) -> None:
    target = need(AMX)
    how, shape = "pads = [1,1,1,1], strides = [2,2]", (2, 3, 45, 41)
    graph = graph_of(target, how, shape, then=POOL, taps=(7, 7))
    assert windowed(graph)[1], "it is joined"
    feed = rng.standard_normal(shape).astype(np.float32)
    feed[0, 1, 4, 5], feed[1, 2, 30, 2] = np.nan, -np.inf
    (exact,) = run(graph, [feed])
    for (got,) in natives(graph, target, [feed], (1, 3)):
        assert_close(got, exact, 147)


@pytest.mark.parametrize(
    ("size", "first", "l2_bytes"),
    [(9, RELU, 64 << 10), (30, RELU, 320 << 10), (7, ADDED, 2 << 20)],
    ids=["some panels at a time", "some lines at a time", "a sum of all"],
)
def test_panels_share_the_digits_of_a_strip(
    size: int, first: str, l2_bytes: int, rng: np.random.Generator
) -> None:
    target, shape = replace(need(AMX), l2_bytes=l2_bytes), (3, 192, size, size)
    graph = graph_of(target, "pads = [1,1,1,1]", shape, channels=200, first=first)
    assert windowed(graph)[1], "it is joined"
    feed = rng.standard_normal(shape).astype(np.float32)
    feed[0, 1, 4, 5], feed[2, 100, 6, 2] = np.nan, -np.inf
    (exact,) = run(graph, [feed])
    for (got,) in natives(graph, target, [feed], (1, 3)):
        assert_close(got, exact, shape[1] + 200)


def test_the_function_is_written() -> None:
    module = Module()
    driver.define_windowed(module)
    assert "define void @sdx_windowed(ptr" in module.text()


@pytest.mark.parametrize(("threads", "again"), [(1, 0), (2, 2)])
def test_lines_of_two_strips_are_computed_by_the_first(threads: int, again: int) -> None:
    """What a thread begins with follows no strip of its own."""
    height, panels, line_bytes = 40, 2, 10 * 64
    words = dict.fromkeys(Windowed, 0)
    words |= {Windowed.SAMPLES: 1, Windowed.BLOCKS: panels, Windowed.PANEL_BLOCKS: 1, Windowed.PANELS: 1}
    words |= {Windowed.LINES: height - 2, Windowed.STRIP: 4, Windowed.STEP: 1, Windowed.REACH: 3}
    words |= {Windowed.HEIGHT: height, Windowed.LINE_BYTES: line_bytes, Windowed.WIDTH_BYTES: line_bytes}
    words |= {Windowed.BLOCK_BYTES: 6 * line_bytes, Windowed.FIRST_WORDS: Conv.EPILOGUE_WORDS}
    words |= {Windowed.SECOND_WORDS: 2, Windowed.BLOCKS_WORD: 1, Windowed.COUNT_WORD: Conv.LINES}
    words |= {Windowed.COUNT: 1, Windowed.BUFFER: 4096, Windowed.COMMON: 4096 + panels * 6 * line_bytes}
    computed, read = [], []

    def first(args: int, _: int) -> None:
        told = np.ctypeslib.as_array((ctypes.c_int64 * Conv.EPILOGUE_WORDS).from_address(args))
        computed.append(int(told[Conv.LINES] * told[Conv.PANELS]))

    def second(args: int, _: int) -> None:
        read.append(int(np.prod((ctypes.c_int64 * 2).from_address(args))))

    stages = KERNEL(first), KERNEL(second)
    words |= dict(zip((Windowed.FIRST, Windowed.SECOND), map(_address, stages), strict=True))
    args = np.zeros(Windowed.HEAD + Conv.EPILOGUE_WORDS + 2, np.int64)
    args[: Windowed.HEAD] = [words[word] for word in Windowed if word < Windowed.HEAD]
    goal = Goal(targets.detect())
    texts = executor.ir(goal.target), windowed_ir(goal)
    library = loaded([compiled(text, goal.target) for text in texts], goal.target)
    execute(library.address("sdx_windowed"), args, guarded(np.zeros(1 << 16, np.uint8), align=64), threads)
    assert sum(read) == (height - 2) * panels
    assert sum(computed) == height * panels + again * panels


def _address(function: Any) -> int:
    return int(ctypes.cast(function, ctypes.c_void_p).value or 0)
