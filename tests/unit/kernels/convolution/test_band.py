"""Convolutions on matrix registers against float64: any window, step, border, width and channels."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pytest

from sardonyx.base.dataclass import replace
from sardonyx.base.policy import Goal, Policy
from sardonyx.base.report import Report
from sardonyx.base.target import Target
from sardonyx.base.tile import MatrixTile
from sardonyx.compiler.builder import Parts, body_program
from sardonyx.ir.run import run
from sardonyx.kernels.convolution import choose
from sardonyx.kernels.convolution.band import BandBlock
from sardonyx.kernels.library import matrices_ir, matrix_convolutions_ir
from sardonyx.llvm.vec import Module
from sardonyx.object import engine
from sardonyx.runtime import cache
from sardonyx.runtime.program import Program
from sardonyx.runtime.weights import Weights
from sardonyx.store import identity
from sardonyx.targets.x86_64 import isa
from sardonyx.targets.x86_64.backend import X86Backend
from tests.runnable import need
from tests.tolerance import MATRIX_BOUNDS
from tests.unit.kernels.native import Array
from tests.unit.passes.graphs import parse

FLOATS = [tile for tile in isa.V4.matrices if tile.operand == "f32"]
NAMED = pytest.mark.parametrize("tile", FLOATS, ids=lambda tile: tile.name)


@pytest.fixture(autouse=True)
def _always(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the sizes are."""
    monkeypatch.setattr(choose, "_GAIN", 0)


def target_of(tile: MatrixTile) -> Target:
    """One that convolves with that tile alone."""
    target = isa.with_features(isa.V4, tile.features)
    return replace(target, matrices=(replace(tile, everywhere=True),))


def results(
    tile: MatrixTile,
    text: str,
    x: Array,
    target: Target,
    threads: int = 1,
    transforms: Literal["off", "f4"] = "off",
    **weights: Array,
) -> tuple[list[str], Array, Array]:
    """How each kernel multiplies, the result, and the exact one."""
    graph = parse(text, **weights)
    backend = X86Backend(Goal(target, Policy(tile.precisions[0], winograd=transforms)))
    with backend.build(cache.shared(), identity.build()) as build:
        parts = Parts(backend, Report(), build)
        data = body_program(graph, parts)
        image = build.code(parts.report).image
    program = Program(data, Weights(parts.constants.arrays), image, lambda: parts.report, threads=threads)
    doubles = {n: w.astype(np.float64) if w.dtype == np.float32 else w for n, w in weights.items()}
    wide = parse(text.replace("float[", "double["), **doubles)
    (exact,) = run(wide, [x.astype(np.float64)])
    return [k.arithmetic for k in parts.report.kernels], program.run([x], [0])[0], exact


def error(got: Array, exact: Array) -> float:
    return float(np.sqrt(np.mean((got - exact) ** 2) / np.mean(exact**2)))


def check(
    tile: MatrixTile,
    how: str,
    x_shape: tuple[int, ...],
    w_shape: tuple[int, ...],
    l2_bytes: int,
    rng: np.random.Generator,
) -> None:
    """A convolution with a ReLU is computed by the tile, as exactly as that promises."""
    shape = ",".join(map(str, x_shape))
    text = f"g (float[{shape}] x) => (float[n,c,h,w] y) {{ a = Conv<{how}>(x, v) y = Relu(a) }}"
    x, v = (rng.standard_normal(dims).astype(np.float32) for dims in (x_shape, w_shape))
    target = replace(need(target_of(tile)), l2_bytes=l2_bytes)
    for threads in (1, 2):
        kernels, got, exact = results(tile, text, x, target, threads, v=v)
        assert any(tile.name in kernel.split() for kernel in kernels)
        assert error(got, exact) < MATRIX_BOUNDS[tile.name]


CASES = [
    ("pads = [1,1,1,1]", (1, 32, 9, 40), (48, 32, 3, 3)),
    ("pads = [1,1,1,1]", (2, 40, 15, 13), (72, 40, 3, 3)),
    ("pads = [1,1,1,1], strides = [2,2]", (1, 64, 17, 33), (32, 64, 3, 3)),
    ("strides = [1,2]", (1, 24, 6, 70), (33, 24, 1, 1)),
    ("group = 1", (3, 100, 7, 7), (130, 100, 1, 1)),
    ("pads = [2,2,2,2]", (1, 24, 5, 31), (24, 24, 5, 5)),
    ("pads = [0,3,0,3], dilations = [1,3]", (1, 33, 4, 50), (25, 33, 1, 3)),
    ("group = 1", (1, 48, 5, 64), (64, 48, 2, 1)),
    ("group = 2, pads = [1,1,1,1]", (2, 96, 7, 9), (80, 48, 3, 3)),
    ("group = 3", (1, 96, 5, 20), (75, 32, 1, 1)),
    ("pads = [2,2,2,2], strides = [1,3]", (1, 40, 5, 100), (40, 40, 5, 5)),
    ("strides = [2,3], dilations = [1,2]", (1, 64, 9, 61), (48, 64, 3, 4)),
    ("strides = [3,3]", (1, 33, 7, 9), (24, 33, 2, 2)),
    ("group = 1", (1, 32, 40, 40), (40, 32, 1, 1)),
    ("group = 1", (9, 32, 1, 21), (48, 32, 1, 8)),
]


@NAMED
@pytest.mark.parametrize(("how", "x_shape", "w_shape"), CASES)
@pytest.mark.parametrize("l2_bytes", [256 << 10, 2 << 20])
def test_convolutions(
    tile: MatrixTile,
    how: str,
    x_shape: tuple[int, ...],
    w_shape: tuple[int, ...],
    l2_bytes: int,
    rng: np.random.Generator,
) -> None:
    check(tile, how, x_shape, w_shape, l2_bytes, rng)


@NAMED
def test_infinity_and_nan_reach_the_outputs_that_read_them(
    tile: MatrixTile, rng: np.random.Generator
) -> None:
    text = "g (float[1,32,8,20] x) => (float[n,c,h,w] y) { y = Conv<pads = [0,1,0,1]>(x, v) }"
    x, v = (rng.standard_normal(dims).astype(np.float32) for dims in ((1, 32, 8, 20), (32, 32, 1, 3)))
    x[0, 3, 2, 5], x[0, 20, 6, 15] = np.inf, np.nan
    _, got, exact = results(tile, text, x, need(target_of(tile)), v=v)
    finite = np.isfinite(exact)
    assert np.array_equal(got[~finite], exact[~finite].astype(np.float32), equal_nan=True)
    assert error(got[finite], exact[finite]) < MATRIX_BOUNDS[tile.name]


@NAMED
@pytest.mark.parametrize("channels", [32, 3])
@pytest.mark.parametrize("repeated", [(2,), (3,), (2, 3), (1,), (0,)], ids=str)
@pytest.mark.parametrize("width", [12, 40])
def test_input_that_is_repeated_along_axes(
    tile: MatrixTile, channels: int, repeated: tuple[int, ...], width: int, rng: np.random.Generator
) -> None:
    whole = (2, channels, 9, width)
    x = rng.standard_normal([1 if a in repeated else n for a, n in enumerate(whole)]).astype(np.float32)
    v = rng.standard_normal((32, channels, 3, 3)).astype(np.float32)
    shape = ",".join(map(str, x.shape))
    text = f"g (float[{shape}] x) => (float[n,c,h,w] y) {{ e = Expand(x, s) y = Conv(e, v) }}"
    graph = {"s": np.array(whole), "v": v}
    _, got, exact = results(tile, text, x, need(target_of(tile)), **graph)
    assert error(got, exact) < MATRIX_BOUNDS[tile.name]


@NAMED
@pytest.mark.parametrize("channels", [32, 3])
@pytest.mark.parametrize("steps", [(-1, 1), (1, -1), (-2, -1), (2, 3)])
@pytest.mark.parametrize("first", ["r = Relu(x)", "a = Conv(x, u) r = Relu(a)"])
def test_input_that_runs_backwards_or_in_steps(
    tile: MatrixTile, channels: int, steps: tuple[int, int], first: str, rng: np.random.Generator
) -> None:
    x = rng.standard_normal((1, channels, 13, 20)).astype(np.float32)
    v = rng.standard_normal((32, channels, 3, 3)).astype(np.float32)
    text = f"g (float[1,{channels},13,20] x) => (float[n,c,h,w] y) {{ {first}"
    text += " e = Slice(r, begin, end, axes, steps) y = Conv(e, v) }"
    given = {"begin": [-1 if s < 0 else 0 for s in steps], "end": [-99 if s < 0 else 99 for s in steps]}
    given |= {"axes": [2, 3], "steps": list(steps)}
    constants = {name: np.array(numbers) for name, numbers in given.items()} | {"v": v}
    if "Conv" in first:
        constants["u"] = rng.standard_normal((channels, channels, 1, 1)).astype(np.float32)
    _, got, exact = results(tile, text, x, need(target_of(tile)), **constants)
    assert error(got, exact) < 2 * MATRIX_BOUNDS[tile.name]


@NAMED
def test_texts_compile_everywhere_to_the_same_bytes(tile: MatrixTile) -> None:
    goal = Goal(target_of(tile), Policy(tile.precisions[0]))
    name = BandBlock(Module(), goal, tile).f.name
    texts = [matrix_convolutions_ir.__wrapped__(tile, goal) for _ in range(2)]
    assert f"@{name}(" in texts[0]
    assert texts[0] == texts[1]
    assert engine.compile_object(texts[0], goal.target) == engine.compile_object(texts[1], goal.target)
    assert "define hidden void @matrix_" not in texts[0], "micro-kernels are those of products"
    assert "define hidden void @matrix_" in matrices_ir(tile, goal)


def test_equal_weights_have_equal_sums_wherever_they_are(rng: np.random.Generator) -> None:
    (tile,) = (tile for tile in FLOATS if tile.terms == 6)
    text = "g (float[1,70,5,31] x) => (float[n,c,h,w] y) { y = Conv(x, v) }"
    x = np.repeat(rng.standard_normal((1, 70, 1, 1)), 5 * 31, 2).reshape(1, 70, 5, 31).astype(np.float32)
    v = np.repeat(rng.standard_normal((1, 70, 1, 1)), 72, 0).astype(np.float32)
    _, got, _ = results(tile, text, x, need(target_of(tile)), v=v)
    assert (got == got[0, 0, 0, 0]).all()
