"""Convolutions by transforms against float64 numpy, on guarded memory; and what their code looks like."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sardonyx.base.dataclass import replace
from sardonyx.base.policy import Goal
from sardonyx.base.target import Target
from sardonyx.kernels.arguments import Winograd
from sardonyx.kernels.library import library_ir, winograd_ir
from sardonyx.kernels.tiles.shape import TileShape
from sardonyx.kernels.winograd import pack
from sardonyx.kernels.winograd.blocking import blocking
from sardonyx.kernels.winograd.cook_toom import transforms
from sardonyx.kernels.winograd.driver import define_winograd
from sardonyx.kernels.winograd.input_transform import define_input_transform
from sardonyx.kernels.winograd.output_transform import define_output_transform
from sardonyx.kernels.winograd.walk import define_block
from sardonyx.llvm.vec import Module
from sardonyx.object import engine, executor
from sardonyx.object.link import link
from sardonyx.runtime.image import LoadedImage, load
from sardonyx.targets.x86_64 import isa
from tests.runnable import runnable_targets
from tests.tolerance import difference_of_transforms
from tests.unit.kernels.convolution.test_conv import (
    Case,
    blocked,
    new_output,
    store_tile,
    unblocked,
)
from tests.unit.kernels.native import Array, Epilogue, execute, finish_words, guarded, strides
from tests.unit.kernels.product.test_contract import innermost_loops
from tests.unit.kernels.traced import FETCHES, Trace
from tests.unit.objects import compiled

TARGETS = pytest.mark.parametrize("target", runnable_targets(), ids=lambda t: t.name)
OUTPUTS = pytest.mark.parametrize("outputs", [2, 4])

CASES = (
    Case(16, 32, (7, 7), pad=1),
    Case(24, 40, (8, 12), pad=1, images=3),
    Case(40, 17, (9, 30)),
    Case(5, 100, (3, 3)),
    Case(70, 33, (4, 50), pad=1, images=2),
    Case(16, 16, (1, 1), pad=1, images=9),
    Case(300, 40, (10, 11), pad=2),
)


@cache
def image(target: Target, outputs: int) -> LoadedImage:
    goal = Goal(target)
    texts = (executor.ir(target), *library_ir(goal), winograd_ir(outputs, goal))
    return load(link([compiled(text, target) for text in texts], target))


class Drawn:
    """One convolution with its arrays; `run` gives the result, which must leave the rest of Y alone."""

    def __init__(self, case: Case, outputs: int, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        self.case, self.outputs = case, outputs
        self.kernels: Callable[[Target], Any] = lambda target: image(target, outputs)
        self.x = rng.standard_normal((case.images, case.channels, *case.size)).astype(np.float32)
        self.w = rng.standard_normal((case.outputs, case.channels, 3, 3)).astype(np.float32)
        self.bias = guarded(rng.standard_normal(-(-case.outputs // 16) * 16).astype(np.float32))
        self.residual = rng.standard_normal(new_output(case, "float32", "blocked", 0).shape).astype(
            np.float32
        )

    def exact(self, end: str) -> Array:
        lines, pixels = self.case.extent
        y = self.case.exact(self.x, self.w)
        if end == "finish":
            residual = unblocked(self.residual, self.case.outputs)[:, :, :lines, :pixels]
            y += self.bias[: self.case.outputs, None, None] + residual
        return y

    def run(self, target: Target, end: str = "store", threads: int = 1) -> Array:
        case = self.case
        lines, pixels = case.extent
        x = guarded(blocked(self.x, case.pad))
        w = guarded(pack.pack_winograd_weights(self.w, self.outputs, Goal(target)), align=64)
        y = guarded(new_output(case, "float32", "blocked", np.nan))
        cut = blocking(case.channels, case.outputs, (self.outputs + 2) ** 2, Goal(target))
        words = {
            Winograd.X: x.ctypes.data,
            Winograd.W: w.ctypes.data,
            Winograd.Y: y.ctypes.data,
            Winograd.BATCH: case.images,
            Winograd.CHANNELS_IN: case.channels,
            Winograd.CHANNELS: case.outputs,
            Winograd.LINES: lines,
            Winograd.PIXELS: pixels,
            Winograd.TILES: cut.tiles,
            Winograd.PANELS: cut.panels,
            Winograd.TILE_PITCH: cut.tile_pitch,
            Winograd.POINT_PITCH: cut.point_pitch,
            Winograd.L2_BYTES: target.l2_bytes,
        }
        words |= {Winograd.X_BATCH + n: stride for n, stride in enumerate(strides(x)[:4])}
        words |= {Winograd.Y_BATCH + n: stride for n, stride in enumerate(strides(y)[:4])}
        callback = Epilogue(lambda *args: store_tile(y, "blocked", "float32", *args))
        if end == "finish":
            words |= finish_words(Winograd, "float32")
            words |= {Winograd.BIAS: self.bias.ctypes.data, Winograd.RESIDUAL: self.residual.ctypes.data}
            words |= {Winograd.R_BATCH + n: stride for n, stride in enumerate(strides(self.residual)[:4])}
        elif end == "epilogue":
            words[Winograd.EPILOGUE] = ctypes.cast(callback, ctypes.c_void_p).value or 0
        args = np.zeros(Winograd.EPILOGUE_WORDS, np.int64)
        for word, value in words.items():
            args[word] = value
        scratch = guarded(np.zeros(cut.scratch_bytes, np.uint8), align=64)
        address = self.kernels(target).address(f"sdx_winograd{self.outputs}_f32")
        execute(address, args, scratch, threads)
        result = unblocked(y, case.outputs)
        assert np.isnan(result[:, :, lines:]).all(), "lines beyond Y were written"
        assert np.isnan(result[..., pixels:]).all(), "pixels beyond Y were written"
        return result[:, :, :lines, :pixels]


def check(drawn: Drawn, target: Target, end: str, threads: int = 1) -> None:
    wrong = difference_of_transforms(drawn.run(target, end, threads), drawn.exact(end), drawn.outputs)
    assert wrong is None, f"{drawn.case}: {wrong}"


@TARGETS
@OUTPUTS
@pytest.mark.parametrize("end", ["store", "finish", "epilogue"])
def test_convolutions(target: Target, outputs: int, end: str) -> None:
    for case in CASES:
        check(Drawn(case, outputs), target, end)


@TARGETS
@OUTPUTS
@settings(max_examples=20, deadline=None, derandomize=True)
@given(st.data())
def test_drawn_convolutions(target: Target, outputs: int, data: st.DataObject) -> None:
    pad = data.draw(st.integers(0, 2), "pad")
    least = max(1, 3 - 2 * pad)
    size = data.draw(st.tuples(st.integers(least, 20), st.integers(least, 40)), "size")
    channels, results, images = (data.draw(st.integers(1, most)) for most in (80, 80, 4))
    case = Case(channels, results, size, pad=pad, images=images)
    end = data.draw(st.sampled_from(["store", "finish", "epilogue"]), "end")
    small = replace(target, l2_bytes=data.draw(st.sampled_from([64 << 10, target.l2_bytes]), "L2"))
    check(Drawn(case, outputs), small, end, data.draw(st.integers(1, 3), "threads"))


@TARGETS
@OUTPUTS
def test_threads_and_place_in_a_batch_do_not_change_bits(target: Target, outputs: int) -> None:
    target = replace(target, l2_bytes=64 << 10)
    for case in (Case(20, 40, (9, 30), pad=1, images=3), Case(40, 150, (4, 4), pad=1, images=2)):
        drawn = Drawn(case, outputs)
        whole = drawn.run(target)
        for threads in (2, 3, 7):
            assert np.array_equal(drawn.run(target, threads=threads), whole)
        alone = Drawn(replace(case, images=1), outputs)
        alone.x, alone.w = drawn.x[1:2], drawn.w
        assert np.array_equal(alone.run(target), whole[1:2])


@TARGETS
@OUTPUTS
def test_nothing_is_prefetched_that_is_not_read(
    target: Target, outputs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    trace = Trace(monkeypatch, target, FETCHES[0])
    for case in (*CASES, Case(64, 150, (17, 20), pad=1)):
        for threads in (1, 2):
            drawn = Drawn(case, outputs)
            drawn.kernels = lambda _: trace
            drawn.run(target, threads=threads)
    assert trace.fetched
    assert not trace.wasted


@TARGETS
@OUTPUTS
def test_what_is_read_is_prefetched(target: Target, outputs: int, monkeypatch: pytest.MonkeyPatch) -> None:
    trace = Trace(monkeypatch, target, FETCHES[1])
    drawn = Drawn(Case(64, 128, (20, 20), pad=1), outputs)
    drawn.kernels = lambda _: trace
    drawn.run(target)
    assert len(trace.fetched) > 0.8 * len(trace.lines)


@TARGETS
@OUTPUTS
def test_no_output(target: Target, outputs: int) -> None:
    assert Drawn(Case(16, 32, (7, 7), pad=1, images=0), outputs).run(target, threads=2).size == 0


@TARGETS
@OUTPUTS
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_stays_in_its_tiles(target: Target, outputs: int, value: float) -> None:
    drawn = Drawn(Case(20, 40, (15, 17), pad=1), outputs)
    clean = drawn.run(target)
    drawn.x[0, 19, 4, 5] = value
    got = drawn.run(target)
    reads = np.zeros((15, 17), bool)
    reads[3:6, 4:7] = True
    tiles = [(i, j) for i in range(0, 15, outputs) for j in range(0, 17, outputs)]
    touched = np.zeros((15, 17), bool)
    for i, j in tiles:
        touched[i : i + outputs, j : j + outputs] |= reads[i : i + outputs, j : j + outputs].any()
    assert not np.isfinite(got[:, :, reads]).any()
    assert np.array_equal(got[:, :, ~touched], clean[:, :, ~touched])


@TARGETS
@OUTPUTS
def test_tiny_numbers_stay(target: Target, outputs: int) -> None:
    drawn = Drawn(Case(16, 16, (8, 8), pad=1), outputs)
    drawn.x *= np.float32(1e-41)
    normal = np.abs(drawn.exact("store")) > 1e-41
    assert normal.any()
    assert (drawn.run(target)[normal] != 0).all()


@pytest.mark.parametrize("target", isa.TARGETS, ids=lambda t: t.name)
@OUTPUTS
@pytest.mark.parametrize("define", [define_input_transform, define_output_transform])
def test_inner_loops_keep_everything_in_registers(target: Target, outputs: int, define: Any) -> None:
    module = Module()
    name = define(module, TileShape.of(Goal(target), "f32"), transforms(outputs))
    assembly = engine.assembly(module.part(name), target)
    loops = [loop for loop in innermost_loops(assembly) if any("ps" in line for line in loop)]
    assert len(loops) == 2, "columns, then rows"
    for loop in loops:
        assert not [line for line in loop if "(%rsp)" in line], f"{name} spills in its inner loop"


@OUTPUTS
def test_a_thread_calls_the_walk_for_its_share(outputs: int) -> None:
    goal, module, alone = Goal(isa.V4), Module(), Module()
    define_winograd(module, goal, outputs)
    walk = define_block(alone, TileShape.of(goal, "f32"), transforms(outputs))
    assert f"call void @{walk}(" in module.part(f"sdx_winograd{outputs}_f32")
    assert module.part(walk) == alone.part(walk)


@pytest.mark.parametrize("target", isa.TARGETS, ids=lambda t: t.name)
@OUTPUTS
def test_the_text_depends_on_the_level_alone(target: Target, outputs: int) -> None:
    text = winograd_ir(outputs, Goal(target))
    winograd_ir.cache_clear()
    assert winograd_ir(outputs, Goal(replace(target, l2_bytes=1 << 18))) == text
