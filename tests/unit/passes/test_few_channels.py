"""First layers over squares of pixels, or along lines, give the same sums; other convolutions stay."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sardonyx.base import dtype as dt
from sardonyx.base.policy import Goal
from sardonyx.base.target import Target
from sardonyx.ir.run import run
from sardonyx.ir.value import Value, const, make, placeholder
from sardonyx.ir.verify import verify
from sardonyx.passes.blocking import blocking
from sardonyx.passes.few_channels import along_lines, of_squares
from sardonyx.targets.x86_64 import isa
from tests.runnable import need
from tests.unit.kernels.compiled import graph_of, natives

(TILE,) = (row for row in isa.V4.matrices if row.operand == "i8")
TARGET = isa.with_features(isa.V4, TILE.features)
GOAL = Goal(TARGET)
BYTES = isa.with_features(isa.V4, ["avx512vnni"])
ALONG_LINES = pytest.mark.parametrize(
    ("target", "types"), [(isa.V3, (np.int16, np.int16)), (BYTES, (np.uint8, np.int8))], ids=["i16", "i8"]
)


def convolution(
    x: Value, w: Value, strides: tuple[int, int] = (2, 2), group: int = 1, pad: int = 0, dilation: int = 1
) -> Value:
    sides = zip(x.shape[2:], w.shape[2:], strides, strict=True)
    counts = [(n + 2 * pad - dilation * (int(k) - 1) - 1) // s + 1 for n, k, s in sides]  # type: ignore[arg-type]
    borders = {"low": (pad, pad), "high": (pad, pad)}
    attrs = {"strides": strides, "dilations": (dilation, dilation), "group": group, **borders}
    return make("conv", (x, w), attrs, dt.I32, (x.shape[0], w.shape[0], *counts))


def operands(
    rng: np.random.Generator, channels: int, window: tuple[int, int], size: tuple[int, int]
) -> list[np.ndarray]:
    x = rng.integers(0, 256, (2, channels, *size)).astype(np.uint8)
    return [x, rng.integers(-128, 128, (40, channels, *window)).astype(np.int8)]


def values(rng: np.random.Generator, channels: int, window: tuple[int, int]) -> tuple[Value, Value]:
    x, w = operands(rng, channels, window, (20, 20))
    return placeholder("x", dt.U8, x.shape), const(w)


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("window", [(7, 7), (3, 3), (5, 1), (3, 7)])
@pytest.mark.parametrize("size", [(20, 33), (21, 32), (9, 9)])
def test_the_same_sums(
    channels: int, window: tuple[int, int], size: tuple[int, int], rng: np.random.Generator
) -> None:
    arrays = operands(rng, channels, window, size)
    graph = graph_of(lambda x, w: [convolution(x, w)], arrays, [1])
    changed = blocking(graph, GOAL)
    verify(changed)
    (conv,) = (v for v in changed.order() if v.prim == "conv_blocked")
    assert conv.attrs["strides"] == (1, 1)
    assert conv.args[1].shape == (40, 16, *((n + 1) // 2 for n in window))
    for before, after in zip(run(graph, arrays[:1]), run(changed, arrays[:1]), strict=True):
        assert np.array_equal(before, after)


def test_compiled_code_gives_the_same_sums(rng: np.random.Generator) -> None:
    arrays = operands(rng, 3, (7, 7), (35, 64))
    graph = graph_of(lambda x, w: [convolution(x, w)], arrays, [1])
    (expected,) = run(graph, arrays[:1])
    for (got,) in natives(blocking(graph, GOAL), need(TARGET), arrays[:1], [1, 2]):
        assert np.array_equal(got, expected)


@pytest.mark.parametrize(
    ("channels", "window", "how"),
    [
        (5, (3, 3), {}),
        (3, (3, 3), {"strides": (1, 1)}),
        (3, (4, 3), {}),
        (3, (3, 3), {"strides": (2, 1)}),
        (3, (3, 3), {"group": 2}),
    ],
    ids=["many channels", "steps of one", "an even window", "one step", "groups"],
)
def test_other_convolutions_stay(
    channels: int, window: tuple[int, int], how: dict[str, object], rng: np.random.Generator
) -> None:
    x, w = values(rng, channels, window)
    assert of_squares(convolution(x, w, **how), x, w, GOAL) is None  # type: ignore[arg-type]


def test_without_matrix_registers_nothing_changes(rng: np.random.Generator) -> None:
    x, w = values(rng, 3, (3, 3))
    assert of_squares(convolution(x, w), x, w, GOAL) is not None
    for target in (isa.V3, isa.with_features(isa.V4, ["avx512vnni"])):
        assert of_squares(convolution(x, w), x, w, Goal(target)) is None


@ALONG_LINES
@pytest.mark.parametrize(
    ("channels", "window", "how"),
    [
        (3, (7, 7), {"pad": 3}),
        (1, (3, 3), {"pad": 1, "strides": (1, 1)}),
        (3, (1, 4), {"strides": (1, 3)}),
    ],
    ids=["first layer", "one channel", "one line"],
)
def test_steps_along_lines_give_the_same_sums(
    target: Target,
    types: tuple[type, type],
    channels: int,
    window: tuple[int, int],
    how: dict[str, Any],
    rng: np.random.Generator,
) -> None:
    arrays = [a.astype(t) for a, t in zip(operands(rng, channels, window, (19, 33)), types, strict=True)]
    graph = graph_of(lambda x, w: [convolution(x, w, **how)], arrays, [1])
    changed = blocking(graph, Goal(target))
    verify(changed)
    (conv,) = (v for v in changed.order() if v.prim == "conv_blocked")
    assert conv.args[0].rank == 4
    (expected,) = run(graph, arrays[:1])
    assert np.array_equal(run(changed, arrays[:1])[0], expected)
    for (got,) in natives(changed, need(target), arrays[:1], [1, 2]):
        assert np.array_equal(got, expected)


@pytest.mark.parametrize(
    ("channels", "window", "how"),
    [(4, (3, 3), {}), (3, (7, 1), {}), (3, (7, 7), {"dilation": 2}), (4, (7, 7), {"group": 2})],
    ids=["a full step of channels", "one column", "dilated", "groups"],
)
def test_other_steps_run_along_channels(
    channels: int, window: tuple[int, int], how: dict[str, Any], rng: np.random.Generator
) -> None:
    x, w = values(rng, channels, window)
    assert along_lines(convolution(x, w, **how), x, w) is None
