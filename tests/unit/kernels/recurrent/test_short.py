"""Recurrent weights of 24 bits: which are kept so, what they are read as, what layers compute."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from sardonyx.base import dim as dims
from sardonyx.base import dtype as dt
from sardonyx.base.dataclass import replace
from sardonyx.base.policy import Goal, Policy
from sardonyx.base.target import Target
from sardonyx.ir.value import Value, const, placeholder
from sardonyx.kernels.recurrent.layer import Layer
from sardonyx.kernels.recurrent.short import FLOATS, MOST_ROWS, VECTORS, chosen, needs_floats, shortened
from sardonyx.kernels.short.choose import rounded
from sardonyx.ops.onnx import rnn
from sardonyx.targets.x86_64 import isa
from tests.runnable import need
from tests.tolerance import assert_close, difference_of_short
from tests.unit.kernels.compiled import Array, graph_of, natives, program_of, reference
from tests.unit.kernels.native import guarded
from tests.unit.kernels.recurrent.test_recurrent import DIRECTIONS, GATES, cell, inner_loop, operands

L2_BYTES = 1 << 14
"""A cache that weights of a few units overflow."""


def target(l2_bytes: int = L2_BYTES) -> Target:
    """One with vectors of 512 bits and such a cache; skips the test where it does not run."""
    return replace(need(isa.V4), l2_bytes=l2_bytes)


def weights(d: int = 2, h: int = 64, gates: int = 4) -> Array:
    return np.random.default_rng(h).standard_normal((d, h, gates * h)).astype(np.float32)


def is_chosen(
    r: Array, short: str = "auto", precision: str = "fp32", to: Target = isa.V4, rows: Any = 1
) -> bool:
    policy = Policy(precision, short_weights=short)
    return chosen(const(r), rows, Goal(to, policy))


def test_weights_that_overflow_a_cache_are_short() -> None:
    roomy, tight = (replace(isa.V4, l2_bytes=weights()[0].nbytes * times) for times in (2, 1))
    assert not is_chosen(weights(), to=roomy)
    assert is_chosen(weights(), to=tight)
    assert is_chosen(weights(), to=tight, rows=MOST_ROWS)
    assert not is_chosen(weights(), to=tight, rows=MOST_ROWS + 1)
    assert is_chosen(weights(), to=tight, rows=dims.symbol("batch"))
    assert is_chosen(weights(), "on", to=roomy, rows=MOST_ROWS + 1)
    assert not is_chosen(weights(), "off", to=tight)
    assert is_chosen(weights(), "on", "bf16")
    assert not is_chosen(weights(), "on", "strict")
    assert not is_chosen(weights(), "on", to=isa.V3)


def test_weights_without_near_ones_are_kept() -> None:
    assert not is_chosen(weights(h=0), "on")
    assert not is_chosen(weights().astype(np.float64), "on")
    fed = placeholder("r", dt.F32, (1, 64, 256))
    assert not chosen(fed, 1, Goal(isa.V4))
    for value in (np.nan, np.inf):
        r = weights()
        r[1, 3, 5] = value
        assert not is_chosen(r, "on")


@pytest.mark.parametrize("lanes", [8, 16])
def test_three_vectors_hold_four(lanes: int) -> None:
    numbers = np.random.default_rng(0).standard_normal((6, FLOATS, lanes)).astype(np.float32)
    numbers[0, :, :3] = [0.0, -0.0, 1e-40]
    dwords = shortened(numbers, lanes).view(np.uint32)
    assert dwords.shape == (6, VECTORS, lanes)
    high, low = dwords[:, :2], dwords[:, 2]
    upper = np.stack([high[:, 0] >> 16, high[:, 0], high[:, 1] >> 16, high[:, 1]], 1) << 16
    lower = np.stack([low >> 8, low >> 24, low, low >> 16], 1) & 0xFF
    assert np.array_equal(upper | lower << 8, rounded(numbers.view(np.uint32)))


def layer_of(kind: str, names: tuple[str, ...] = (), **attributes: Any) -> Any:
    """What builds a layer of values; those after the bias go by `names`."""
    linear = attributes.pop("linear", None)
    more = {} if linear is None else {"linear_before_reset": linear}

    def build(x: Value, w: Value, r: Value, b: Value, *rest: Value) -> list[Value]:
        given = dict(zip(names, rest, strict=True))
        return list(getattr(rnn, kind)(x, w, r, b, **given, **more, cell=cell(kind, **attributes)))

    return build


@pytest.mark.parametrize(("kind", "linear"), [("lstm", None), ("gru", 0), ("gru", 1), ("rnn", None)])
@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize(("t", "b", "h"), [(4, 1, 70), (3, 2, 130), (3, 7, 65), (5, 23, 64)])
def test_layers(kind: str, linear: int | None, direction: str, t: int, b: int, h: int) -> None:
    arrays = operands(kind, t, b, 5, h, DIRECTIONS[direction])
    build = layer_of(kind, direction=direction, linear=linear)
    to, feeds, constant = target(), [guarded(arrays[0])], (1, 2, 3)
    policy = Policy(short_weights="on")
    assert chosen(const(arrays[2]), b, Goal(to, policy))
    graph = graph_of(build, arrays, constant)
    expected = reference(build, arrays, constant)
    first, *others = natives(graph, to, feeds, (1, 2, 3, 5), policy)
    for a, e in zip(first, expected, strict=True):
        assert np.abs(a - e).max() < 1e-4
    for other in others:
        assert all(map(np.array_equal, other, first))


@pytest.mark.parametrize(("kind", "linear"), [("lstm", None), ("gru", 0), ("gru", 1), ("rnn", None)])
def test_many_rows_are_multiplied_by_floats(kind: str, linear: int | None) -> None:
    arrays = operands(kind, 3, 9, 4, 130, 2)
    build = layer_of(kind, direction="bidirectional", linear=linear)
    graph = graph_of(build, arrays, (1, 2, 3), [(3, dims.symbol("batch"), 4)])
    programs = [program_of(graph, target(), 2, Policy(short_weights=short)) for short in ("auto", "off")]
    for rows in (1, MOST_ROWS, MOST_ROWS + 1, 23):
        x = np.random.default_rng(rows).standard_normal((3, rows, 4)).astype(np.float32)
        got, of_floats = (program.run([guarded(x)], range(len(graph.outputs))) for program in programs)
        assert np.array_equal(got[0], of_floats[0]) == (rows > MOST_ROWS)
        expected = reference(build, [x, *arrays[1:]], (1, 2, 3))
        for a, e in zip(got, expected, strict=True):
            assert np.abs(a - e).max() < 1e-4


def test_models_that_keep_weights_once_have_no_floats_beside() -> None:
    batch = dims.symbol("batch")
    assert needs_floats(batch, Goal(isa.V4))
    assert not needs_floats(1, Goal(isa.V4))
    assert not needs_floats(batch, replace(Goal(isa.V4), keeps_once=True))


@pytest.mark.parametrize("h", [64, 257, 512])
def test_products_are_as_near_as_is_promised(h: int) -> None:
    rng = np.random.default_rng(h)
    r = rng.standard_normal((1, h, h)).astype(np.float32)
    x, w, b = (np.zeros(shape, np.float32) for shape in ((1, 3, 1), (1, h, 1), (1, 2 * h)))
    state = rng.standard_normal((1, 3, h)).astype(np.float32)
    build = layer_of("rnn", ("initial_h",), activations=("Affine",), activation_alpha=(1.0,))
    graph = graph_of(build, [x, w, r, b, state], (1, 2, 3))
    (got,) = natives(graph, target(), [guarded(x), guarded(state)], (1,))
    exact = state[0].astype(np.float64) @ r[0].T
    assert difference_of_short(got[1][0], exact) is None
    whole = graph_of(build, [x, w, r, b, state], (1, 3))
    (direct,) = natives(whole, target(), [guarded(x), guarded(r), guarded(state)], (1,))
    assert_close(direct[1][0], exact.astype(np.float32), h)


@pytest.mark.parametrize("kind", [*GATES, "gru_reset"])
def test_sums_stay_in_registers(kind: str) -> None:
    goal = Goal(target())
    for panel in Layer(kind, dt.F32, (), short=True).panels(goal):
        assert panel.weight_bytes * FLOATS == panel.row_bytes * VECTORS
        for rows in range(1, panel.max_rows + 1):
            inner = inner_loop(panel, rows, goal.target)
            assert len(re.findall(r"\bvfmadd", inner)) == 4 * rows * panel.vectors
            assert "rsp" not in inner
