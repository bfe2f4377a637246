"""Convolutions by transforms against float64 numpy, on guarded memory; and what their code looks like.

Those of integers give the same integers.
"""

from __future__ import annotations

import ctypes
import re
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sardonyx.base import dtype as dt
from sardonyx.base.dataclass import replace
from sardonyx.base.policy import Goal
from sardonyx.base.target import Target
from sardonyx.kernels.arguments import Winograd
from sardonyx.kernels.library import beside_ir, winograd_ir
from sardonyx.kernels.tiles.beside import define_beside, pick_name, unread_bytes
from sardonyx.kernels.tiles.shape import TileShape
from sardonyx.kernels.winograd import pack
from sardonyx.kernels.winograd.beside import together_for
from sardonyx.kernels.winograd.blocking import blocking, few_tiles
from sardonyx.kernels.winograd.choose import is_exact
from sardonyx.kernels.winograd.driver import define_winograd
from sardonyx.kernels.winograd.input_transform import define_input_transform
from sardonyx.kernels.winograd.output_transform import define_output_transform
from sardonyx.kernels.winograd.scheme import ALL, FLOATS, LARGEST_SAMPLE, WHOLE, Scheme
from sardonyx.kernels.winograd.walk import define_block
from sardonyx.llvm.vec import Module
from sardonyx.object import engine
from sardonyx.runtime.image import LoadedImage
from sardonyx.targets.x86_64 import isa
from tests.runnable import examples, is_for_others, runnable_targets
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
from tests.unit.objects import compiled, compiled_alone, contractions, loaded

OPERANDS = {dt.I16: (np.int16, np.int16), dt.U8: (np.uint8, np.int8)}
"""Samples and weights, by what samples are."""

TARGETS = pytest.mark.parametrize("target", runnable_targets(), ids=lambda t: t.name)
ADDITIONS = re.compile("v(addps|subps|padd|f.?m(add|sub))")
KEPT_IN_MEMORY = re.compile(r"mm\d+, .*\(%rsp\)")
SCHEMES, OF_FLOATS, OF_INTEGERS = (
    pytest.mark.parametrize("scheme", some, ids=lambda s: s.name) for some in (ALL, FLOATS, WHOLE)
)

CASES = (
    Case(16, 32, (7, 7), pad=1),
    Case(24, 40, (8, 12), pad=1, images=3),
    Case(40, 17, (9, 30)),
    Case(5, 100, (3, 3)),
    Case(70, 33, (4, 50), pad=1, images=2),
    Case(16, 16, (1, 1), pad=1, images=9),
    Case(300, 40, (10, 11), pad=2),
    Case(20, 33, (11, 9), pad=1, dilation=(2, 1)),
    Case(16, 16, (4, 5), pad=3, dilation=(4, 1), images=2),
    Case(20, 33, (11, 19), pad=2, dilation=(1, 2)),
    Case(16, 40, (13, 22), pad=3, dilation=(3, 3), images=2),
    Case(36, 16, (24, 70), dilation=(8, 8)),
    Case(16, 16, (30, 61), pad=12, dilation=(12, 18)),
    Case(32, 64, (9, 14), pad=1, images=2, group=2),
    Case(96, 192, (5, 5), pad=1, group=3),
    Case(33, 24, (31, 29), pad=1),
    Case(17, 8, (30, 40), pad=1),
    Case(50, 68, (12, 25), pad=1, images=2),
)


def under(scheme: Scheme, case: Case) -> Case:
    """A case as it is with windows of a scheme, which are as high only where lines are transformed.

    Windows that are steps apart have neighbouring taps.
    """
    steps = case.dilation[0] if scheme.has_lines else 1, case.dilation[1]
    if scheme.step > 1:
        steps = 1, 1
    high, wide = (case.size[n] + 2 * case.pad for n in range(2))
    least = [step * (taps - 1) + 1 for step, taps in zip(steps, scheme.taps, strict=True)]
    size = max(high, least[0]) - 2 * case.pad, max(wide, least[1]) - 2 * case.pad
    return replace(case, size=size, kernel=scheme.taps, dilation=steps, stride=(scheme.step,) * 2)


def togethers(target: Target) -> tuple[int, ...]:
    """Lanes that an output of the last vector may have."""
    return (2, 4, 8, 16) if target.lanes == target.channel_block else ()


@cache
def image(target: Target, scheme: Scheme) -> LoadedImage:
    goal = Goal(target)
    own = compiled_alone(winograd_ir(scheme, goal), target)
    quick = is_for_others(target)
    beside = [compiled(beside_ir(n, goal), target, quick=quick) for n in togethers(target)]
    return loaded([*contractions(goal, scheme.operand), *beside, own], target)


class Drawn:
    """One convolution with its arrays; `run` gives the result, which must leave the rest of Y alone."""

    def __init__(self, case: Case, scheme: Scheme, seed: int = 0) -> None:
        self.rng = np.random.default_rng(seed)
        self.case, self.scheme, self.l2_bytes = case, scheme, 0
        self.dtype = "int32" if scheme.is_whole else "float32"
        self.unwritten = np.iinfo(np.int32).min if scheme.is_whole else np.nan
        self.kernels: Callable[[Target], Any] = lambda target: image(target, scheme)
        samples, weights = (np.dtype(t) for t in OPERANDS.get(scheme.samples, (np.float32, np.float32)))
        self.x = self.drawn((case.images, case.channels, *case.size), samples, LARGEST_SAMPLE)
        self.w = self.drawn((case.outputs, case.channels // case.group, *case.kernel), weights, 128)
        sums = np.dtype(self.dtype)
        self.bias = guarded(self.drawn((-(-case.outputs // 16) * 16,), sums, 1 << 20))
        self.residual = self.drawn(new_output(case, self.dtype, "blocked", 0).shape, sums, 1 << 20)

    def drawn(self, size: tuple[int, ...], dtype: np.dtype[Any], most: int) -> Array:
        """Floats, or integers of at most that magnitude; the extremes are among them."""
        if dtype.kind == "f":
            return self.rng.standard_normal(size).astype(dtype)
        bounds = np.iinfo(dtype)
        low, high = max(-most, bounds.min), min(most, bounds.max)
        numbers = self.rng.integers(low, high, size, dtype, endpoint=True)
        extremes = self.rng.choice(np.array([low, high], dtype), size)
        return np.where(self.rng.random(size) < 0.2, extremes, numbers)

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
        y = guarded(new_output(case, self.dtype, "blocked", self.unwritten))
        sizes = case.channels // case.group, case.outputs // case.group
        together = together_for(*sizes, self.scheme, Goal(target))
        w = guarded(pack.pack_winograd_weights(self.w, self.scheme, Goal(target), together), align=64)
        cut = blocking(*sizes, self.scheme, Goal(target))
        words = {
            Winograd.X: x.ctypes.data,
            Winograd.W: w.ctypes.data,
            Winograd.Y: y.ctypes.data,
            Winograd.BATCH: case.images,
            Winograd.CHANNELS_IN: sizes[0],
            Winograd.CHANNELS: case.outputs,
            Winograd.LINES: lines,
            Winograd.PIXELS: pixels,
            Winograd.TILES: cut.tiles,
            Winograd.PANELS: cut.panels,
            Winograd.TILE_PITCH: cut.tile_pitch,
            Winograd.POINT_PITCH: cut.point_pitch,
            Winograd.FEW_TILES: few_tiles(*sizes, self.scheme, Goal(target)),
            Winograd.GROUPS: case.group,
            Winograd.L2_BYTES: self.l2_bytes,
            Winograd.LINE_STEP: case.dilation[0],
            Winograd.PIXEL_STEP: case.dilation[1],
        }
        if together > 1:
            shape = TileShape.of(Goal(target), "f32")
            words[Winograd.BESIDE] = self.kernels(target).address(pick_name("f32", together))
            words[Winograd.UNREAD_BYTES] = unread_bytes(sizes[0], together, shape)
        words |= {Winograd.X_BATCH + n: stride for n, stride in enumerate(strides(x)[:4])}
        words |= {Winograd.Y_BATCH + n: stride for n, stride in enumerate(strides(y)[:4])}
        callback = Epilogue(lambda *args: store_tile(y, "blocked", self.dtype, *args))
        if end == "finish":
            limits = (-(1 << 31), (1 << 31) - 1) if self.scheme.is_whole else (-np.inf, np.inf)
            words |= finish_words(Winograd, self.dtype, *limits)
            words |= {Winograd.BIAS: self.bias.ctypes.data, Winograd.RESIDUAL: self.residual.ctypes.data}
            words |= {Winograd.R_BATCH + n: stride for n, stride in enumerate(strides(self.residual)[:4])}
        elif end == "epilogue":
            words[Winograd.EPILOGUE] = ctypes.cast(callback, ctypes.c_void_p).value or 0
        args = np.zeros(Winograd.EPILOGUE_WORDS, np.int64)
        for word, value in words.items():
            args[word] = value
        scratch = guarded(np.zeros(cut.scratch_bytes, np.uint8), align=64)
        address = self.kernels(target).address(f"sdx_winograd_{self.scheme.name}")
        execute(address, args, scratch, threads)
        result = unblocked(y, case.outputs)
        beside = np.full((), self.unwritten, self.dtype)
        assert np.array_equal(result[:, :, lines:], np.broadcast_to(beside, result[:, :, lines:].shape), True)
        assert np.array_equal(result[..., pixels:], np.broadcast_to(beside, result[..., pixels:].shape), True)
        return result[:, :, :lines, :pixels]


def define_all(module: Module, goal: Goal) -> None:
    """All schemes, which have kernels in common, and the kernels of last vectors of few outputs."""
    for together in togethers(goal.target):
        define_beside(module, goal, together)
    for scheme in ALL:
        define_winograd(module, goal, scheme)


def check(drawn: Drawn, target: Target, end: str, threads: int = 1) -> None:
    if drawn.scheme.is_whole:
        assert np.array_equal(drawn.run(target, end, threads), drawn.exact(end)), f"{drawn.case}"
        return
    wrong = difference_of_transforms(drawn.run(target, end, threads), drawn.exact(end), drawn.scheme.points)
    assert wrong is None, f"{drawn.case}: {wrong}"


@TARGETS
@SCHEMES
@pytest.mark.parametrize("end", ["store", "finish", "epilogue"])
def test_convolutions(target: Target, scheme: Scheme, end: str) -> None:
    for case in CASES:
        check(Drawn(under(scheme, case), scheme), target, end)


@TARGETS
@SCHEMES
@settings(max_examples=examples(4, 20), deadline=None, derandomize=True)
@given(st.data())
def test_drawn_convolutions(target: Target, scheme: Scheme, data: st.DataObject) -> None:
    pad = data.draw(st.integers(0, 2), "pad")
    size = data.draw(st.tuples(st.integers(1, 20), st.integers(1, 40)), "size")
    steps = data.draw(st.tuples(*[st.integers(1, most) for most in (3, 10)]), "steps")
    channels, results, images = (data.draw(st.integers(1, most)) for most in (80, 80, 4))
    group = data.draw(st.integers(1, 3), "groups")
    if group > 1:
        channels, results = (group * (-(-n // 32)) * 32 for n in (channels, results))
    case = under(scheme, Case(channels, results, size, pad=pad, images=images, group=group, dilation=steps))
    end = data.draw(st.sampled_from(["store", "finish", "epilogue"]), "end")
    small = replace(target, l2_bytes=data.draw(st.sampled_from([64 << 10, target.l2_bytes]), "L2"))
    check(Drawn(case, scheme), small, end, data.draw(st.integers(1, 3), "threads"))


@TARGETS
@SCHEMES
def test_threads_and_place_in_a_batch_do_not_change_bits(target: Target, scheme: Scheme) -> None:
    target = replace(target, l2_bytes=64 << 10)
    for case in (Case(20, 40, (9, 30), pad=1, images=3), Case(40, 150, (4, 4), pad=1, images=2)):
        drawn = Drawn(under(scheme, case), scheme)
        whole = drawn.run(target)
        for threads in (2, 3, 7):
            assert np.array_equal(drawn.run(target, threads=threads), whole)
        alone = Drawn(replace(drawn.case, images=1), scheme)
        alone.x, alone.w = drawn.x[1:2], drawn.w
        assert np.array_equal(alone.run(target), whole[1:2])


@TARGETS
@SCHEMES
def test_nothing_is_prefetched_that_is_not_read(
    target: Target, scheme: Scheme, monkeypatch: pytest.MonkeyPatch
) -> None:
    trace = Trace(monkeypatch, target, FETCHES[0], define_all)
    each = examples(2, 1)
    for case in (*CASES[ALL.index(scheme) % each :: each], Case(64, 150, (17, 20), pad=1)):
        for threads in (1, 2):
            drawn = Drawn(under(scheme, case), scheme)
            drawn.kernels = lambda _: trace
            drawn.run(target, threads=threads)
    assert trace.fetched
    assert not trace.wasted


@TARGETS
@SCHEMES
def test_what_is_read_is_prefetched(target: Target, scheme: Scheme, monkeypatch: pytest.MonkeyPatch) -> None:
    trace = Trace(monkeypatch, target, FETCHES[1], define_all)
    side = 20 * scheme.step
    drawn = Drawn(under(scheme, Case(64, 128, (side, side), pad=1)), scheme)
    drawn.kernels = lambda _: trace
    drawn.run(target)
    assert len(trace.fetched) > 0.8 * len(trace.lines)


@TARGETS
@OF_INTEGERS
def test_the_largest_numbers(target: Target, scheme: Scheme) -> None:
    """All of one sign, alternating, and as each point of a tile sees the most; as many as a sum may have."""
    channels = {dt.I16: 57, dt.U8: 114}[scheme.samples]
    drawn = Drawn(Case(channels, 17, (9, 13), pad=1), scheme)
    largest = {np.dtype(np.int8): (-128, 127), np.dtype(np.int16): (-255, 255)}[drawn.w.dtype]
    least, most = (0, 255) if drawn.x.dtype == np.uint8 else (-255, 255)
    i, j = np.indices(drawn.case.size)
    for pattern in ((i + j) % 2 == 0, i % 4 < 2, j % 2 == 0, i >= 0):
        for number in largest:
            drawn.x[:] = np.where(pattern, most, least)
            drawn.w[:] = number
            drawn.w[1:, :, ::2] = sum(largest) - number
            drawn.w[2:, :, :, 1] = number
            assert is_exact(scheme, drawn.w)
            check(drawn, target, "store")


@TARGETS
@SCHEMES
def test_no_output(target: Target, scheme: Scheme) -> None:
    assert (
        Drawn(under(scheme, Case(16, 32, (7, 7), pad=1, images=0)), scheme).run(target, threads=2).size == 0
    )


@TARGETS
@OF_FLOATS
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_stays_in_its_tiles(target: Target, scheme: Scheme, value: float) -> None:
    drawn = Drawn(under(scheme, Case(20, 40, (15, 17), pad=1)), scheme)
    clean = drawn.run(target)
    drawn.x[0, 19, 4, 5] = value
    got = drawn.run(target)
    lines, pixels = drawn.case.extent
    reads = np.zeros((lines, pixels), bool)
    down, across = (
        [scheme.step * n <= at + 1 < scheme.step * n + taps for n in range(count)]
        for at, taps, count in zip((4, 5), scheme.taps, (lines, pixels), strict=True)
    )
    reads[:] = np.outer(down, across)
    high, wide = scheme.outputs
    touched = np.zeros((lines, pixels), bool)
    for i, j in ((i, j) for i in range(0, lines, high) for j in range(0, pixels, wide)):
        touched[i : i + high, j : j + wide] |= reads[i : i + high, j : j + wide].any()
    assert not np.isfinite(got[:, :, reads]).any()
    assert np.array_equal(got[:, :, ~touched], clean[:, :, ~touched])


@TARGETS
@OF_FLOATS
def test_tiny_numbers_stay(target: Target, scheme: Scheme) -> None:
    drawn = Drawn(under(scheme, Case(16, 16, (8, 8), pad=1)), scheme)
    drawn.x *= np.float32(1e-41)
    normal = np.abs(drawn.exact("store")) > 1e-41
    assert normal.any()
    assert (drawn.run(target)[normal] != 0).all()


@pytest.mark.parametrize("target", isa.TARGETS, ids=lambda t: t.name)
@SCHEMES
@pytest.mark.parametrize("define", [define_input_transform, define_output_transform])
def test_inner_loops_keep_everything_in_registers(target: Target, scheme: Scheme, define: Any) -> None:
    module = Module()
    name = define(module, TileShape.of(Goal(target), scheme.operand), scheme)
    assembly = engine.assembly(module.part(name), target)
    loops = [loop for loop in innermost_loops(assembly) if any(map(ADDITIONS.match, loop))]
    assert loops
    for loop in loops:
        assert not list(filter(KEPT_IN_MEMORY.search, loop)), f"{name} spills in its inner loop"


@pytest.mark.parametrize("define", [define_input_transform, define_output_transform])
def test_a_tile_waits_in_memory_only_where_registers_hold_no_half_of_it(define: Any) -> None:
    """Those of AVX2 do not, with tiles of 4x4."""
    (scheme,) = (scheme for scheme in FLOATS if scheme.pixels == 16 and scheme.step == 1)
    uses = []
    for target in isa.TARGETS:
        module = Module()
        define(module, TileShape.of(Goal(target), scheme.operand), scheme)
        uses.append(module.text().count("%patch"))
    assert uses[0] < uses[1]


@SCHEMES
def test_a_thread_calls_the_walk_for_its_share(scheme: Scheme) -> None:
    goal, module, alone = Goal(isa.V4), Module(), Module()
    define_winograd(module, goal, scheme)
    walk = define_block(alone, TileShape.of(goal, scheme.operand), scheme)
    assert f"call void @{walk}(" in module.part(f"sdx_winograd_{scheme.name}")
    assert module.part(walk) == alone.part(walk)


@pytest.mark.parametrize("target", isa.TARGETS, ids=lambda t: t.name)
@SCHEMES
def test_the_text_depends_on_the_level_alone(target: Target, scheme: Scheme) -> None:
    text = winograd_ir(scheme, Goal(target))
    winograd_ir.cache_clear()
    assert winograd_ir(scheme, Goal(replace(target, l2_bytes=1 << 18))) == text
