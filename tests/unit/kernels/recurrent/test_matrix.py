"""Recurrences on matrix registers: which layers, and what they compute, by the machine or by its model."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest

from sardonyx.base import dim as dims
from sardonyx.base import dtype as dt
from sardonyx.base.dataclass import replace
from sardonyx.base.policy import Goal, Policy
from sardonyx.base.target import Target
from sardonyx.base.tile import MatrixTile
from sardonyx.ir.value import Value, const, placeholder
from sardonyx.kernels.recurrent.driver import layer_ir
from sardonyx.kernels.recurrent.layer import Layer, Word
from sardonyx.kernels.recurrent.matrix import LEAST_ROWS, chosen, packed, scratch_bytes
from sardonyx.object import engine, executor
from sardonyx.ops.onnx import rnn
from sardonyx.runtime.image import LoadedImage
from sardonyx.targets.x86_64 import isa
from tests.runnable import need
from tests.tolerance import MATRIX_BOUNDS
from tests.unit.kernels.compiled import Array, graph_of, native, natives, program_of, reference
from tests.unit.kernels.native import execute, guarded
from tests.unit.kernels.recurrent.test_recurrent import DIRECTIONS, cell, operands
from tests.unit.llvm.registers import modelled
from tests.unit.objects import compiled, loaded

FEATURES = ("amx-tile", "amx-bf16", "avx512bf16")
WITH_AMX = replace(isa.V4, features=(*isa.V4.features, *FEATURES))
SIGMOID, TANH, AFFINE = ("Sigmoid", 0.0, 0.0), ("Tanh", 0.0, 0.0), ("Affine", 1.0, 0.0)
HOW = pytest.mark.parametrize("how", ["machine", "model"])
PRECISIONS = pytest.mark.parametrize("precision", ["fp32", "bf16"])
_models: list[Any] = []


def machine() -> Target:
    """This machine's level with what the registers need; skips the test without."""
    return need(isa.with_features(isa.V4, FEATURES))


def tile_of(goal: Goal) -> MatrixTile:
    tile = goal.find_matrix("f32")
    assert tile is not None
    return tile


@cache
def image(layer: Layer, precision: str, how: str) -> LoadedImage:
    """The kernel, executed by this machine or, but for matrix registers, by a model."""
    target = need(isa.V4) if how == "model" else machine()
    text = layer_ir(layer, Goal(WITH_AMX, Policy(precision)))
    code = (
        engine.compile_object(modelled(text, _models), target) if how == "model" else compiled(text, target)
    )
    return loaded([compiled(executor.ir(target), target), code], target)


def stepped(how: str, precision: str, state: Array, r: Array) -> Array:
    """state[B, H] @ r[H, H] as one step of a plain layer without activation or input."""
    goal = Goal(WITH_AMX, Policy(precision))
    layer = Layer("rnn", dt.F32, (AFFINE,), matrix=True)
    (panel,) = layer.panels(goal)
    batch, units = state.shape
    held = guarded(packed(r[None, :, None], panel, tile_of(goal)), align=64)
    gates, h = guarded(np.zeros((batch, units), np.float32)), guarded(state)
    y = guarded(np.full((batch, units), np.nan, np.float32))
    room = guarded(np.zeros(layer.slabs * batch * -(-units // 16) * 16, np.float32), align=64)
    words = {Word.STEPS: 1, Word.BATCH: batch, Word.UNITS: units, Word.DIRECTIONS: 1}
    words |= {Word.STATE: room.ctypes.data, Word.GATES: gates.ctypes.data, Word.H: h.ctypes.data}
    words |= {Word.MATRIX: held.ctypes.data, Word.Y: y.ctypes.data, Word.H_U: 1}
    words |= dict.fromkeys((Word.GATES_B, Word.H_B, Word.Y_B), units)
    args = np.zeros(Word.WORDS, np.int64)
    for word, value in words.items():
        args[word] = value
    size = scratch_bytes(batch, units, tile_of(goal))
    assert isinstance(size, int)
    scratch = guarded(np.zeros(size, np.uint8), align=64)
    execute(image(layer, precision, how).address(layer.symbol), args, scratch)
    return np.array(y)


def drawn(*shape: int) -> Array:
    return np.random.default_rng(sum(shape)).standard_normal(shape).astype(np.float32)


@HOW
@PRECISIONS
@pytest.mark.parametrize(("batch", "units"), [(1, 33), (8, 64), (16, 70), (17, 32), (33, 40), (70, 130)])
def test_products(how: str, precision: str, batch: int, units: int) -> None:
    state, r = drawn(batch, units), drawn(units, units)
    exact = state.astype(np.float64) @ r
    name = tile_of(Goal(WITH_AMX, Policy(precision))).name
    got = stepped(how, precision, state, r)
    assert np.sqrt(np.mean((got - exact) ** 2) / np.mean(exact**2)) <= MATRIX_BOUNDS[name]


@HOW
@pytest.mark.parametrize("special", [np.inf, -np.inf, np.nan, 3.4e38])
def test_what_has_no_parts_stays_in_its_row(how: str, special: float) -> None:
    state, r = drawn(20, 64), drawn(64, 64)
    clean = stepped(how, "fp32", state, r)
    state[3, 5], r[5, 7] = special, 0
    got = stepped(how, "fp32", state, r)
    with np.errstate(invalid="ignore", over="ignore"):
        exact = (state[3] @ r).astype(np.float32)
    assert np.array_equal(np.isnan(got[3]), np.isnan(exact))
    others = np.delete(np.arange(20), 3)
    assert np.array_equal(np.delete(got[others], 7, 1), np.delete(clean[others], 7, 1))


def is_chosen(r: Array, rows: Any, precision: str = "fp32", to: Target = WITH_AMX) -> bool:
    return chosen(const(r), rows, Goal(to, Policy(precision))) is not None


def test_many_rows_are_multiplied_on_registers() -> None:
    some, batch = drawn(1, 64, 256), dims.symbol("batch", 1)
    assert is_chosen(some, LEAST_ROWS)
    assert is_chosen(some, 64, "bf16")
    assert not is_chosen(some, 1, "bf16")
    assert is_chosen(drawn(1, 128, 512), 1, "bf16")
    assert is_chosen(drawn(1, 128, 512), batch, "bf16")
    assert not is_chosen(drawn(1, 128, 512), 1)
    assert not is_chosen(some, LEAST_ROWS - 1)
    assert not is_chosen(some, 64, "strict")
    assert not is_chosen(some, 64, to=isa.V4)
    assert not is_chosen(drawn(1, 31, 124), 64)
    assert not is_chosen(some, batch)
    assert is_chosen(drawn(1, 256, 1024), batch)
    assert not is_chosen(some.astype(np.float64), 64)
    assert not is_chosen(np.full_like(some, np.inf), 64)
    assert not is_chosen(np.rint(some * 8), 64)
    assert chosen(placeholder("r", dt.F32, (1, 64, 256)), 64, Goal(WITH_AMX)) is None


@pytest.mark.parametrize(("kind", "linear"), [("lstm", None), ("gru", 0), ("gru", 1), ("rnn", None)])
@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize(("t", "b", "h"), [(4, 8, 40), (3, 16, 64), (3, 33, 72), (2, 70, 33)])
def test_layers(kind: str, linear: int | None, direction: str, t: int, b: int, h: int) -> None:
    arrays = operands(kind, t, b, 5, h, DIRECTIONS[direction])
    more = {} if linear is None else {"linear_before_reset": linear}

    def build(*values: Value) -> list[Value]:
        return list(getattr(rnn, kind)(*values, **more, cell=cell(kind, direction=direction)))

    expected = reference(build, arrays, (1, 2, 3))
    graph = graph_of(build, arrays, (1, 2, 3))
    first, *others = natives(graph, machine(), [guarded(arrays[0])], (1, 2, 3, 5))
    for a, e in zip(first, expected, strict=True):
        assert np.abs(a - e).max() < 1e-4
    for other in others:
        assert all(map(np.array_equal, other, first))


def test_one_program_for_few_and_many_rows() -> None:
    arrays = operands("lstm", 3, 9, 4, 200, 2)
    batch = dims.symbol("batch")

    def build(*values: Value) -> list[Value]:
        return list(rnn.lstm(*values, cell=cell("lstm", direction="bidirectional")))

    program = program_of(graph_of(build, arrays, (1, 2, 3), [(3, batch, 4)]), machine(), 2)
    for rows in (1, LEAST_ROWS - 1, LEAST_ROWS, 40):
        x = drawn(3, rows, 4)
        expected = reference(build, [x, *arrays[1:]], (1, 2, 3))
        for a, e in zip(program.run([guarded(x)], range(3)), expected, strict=True):
            assert np.abs(a - e).max() < 1e-4


def test_lengths_peepholes_and_states() -> None:
    arrays = operands("lstm", 5, 12, 4, 48, 2)
    names = ("sequence_lens", "initial_h", "initial_c", "p")
    lens = np.arange(12, dtype=np.int32) % 6
    arrays += [lens, drawn(2, 12, 48), drawn(2, 12, 48), drawn(2, 3 * 48)]

    def build(x: Value, w: Value, r: Value, b: Value, *rest: Value) -> list[Value]:
        given = dict(zip(names, rest, strict=True))
        return list(rnn.lstm(x, w, r, b, **given, cell=cell("lstm", direction="bidirectional", clip=2.0)))

    expected = reference(build, arrays, (1, 2, 3, 7))
    graph = graph_of(build, arrays, (1, 2, 3, 7))
    feeds = [guarded(a) for n, a in enumerate(arrays) if n not in (1, 2, 3, 7)]
    for a, e in zip(native(graph, machine(), feeds), expected, strict=True):
        assert np.abs(a - e).max() < 1e-4
