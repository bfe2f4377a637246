"""Native recurrent layers against their meaning in double precision, and the machine code of their loops."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from sardonyx.base import dim as dims
from sardonyx.base import dtype as dt
from sardonyx.base.dataclass import replace
from sardonyx.base.policy import Goal
from sardonyx.base.target import Target
from sardonyx.errors import RunError
from sardonyx.ir.algorithms.recurrent import ACTIVATIONS
from sardonyx.ir.run import run
from sardonyx.ir.value import Value, many
from sardonyx.kernels.recurrent import step
from sardonyx.kernels.recurrent.layer import Layer, Word
from sardonyx.kernels.recurrent.sums import Panel, define_sums
from sardonyx.llvm.vec import Module, int_
from sardonyx.object import engine
from sardonyx.ops.onnx import rnn
from sardonyx.targets.x86_64 import isa
from tests.runnable import runnable_targets, with_each_feature
from tests.tolerance import assert_close
from tests.unit.kernels.compiled import Array, graph_of, native, natives, program_of, reference
from tests.unit.kernels.native import guarded
from tests.unit.kernels.traced import FETCH, READ, Log

TARGETS = pytest.mark.parametrize("target", runnable_targets(), ids=lambda t: t.name)
GATES = {"lstm": 4, "gru": 3, "rnn": 1}
DIRECTIONS = {"forward": 1, "reverse": 1, "bidirectional": 2}


def operands(kind: str, t: int, b: int, i: int, h: int, d: int, dtype: Any = np.float32) -> list[Array]:
    """X, W, R and B of a layer."""
    rng = np.random.default_rng(t * 1000 + b * 100 + h)
    g = GATES[kind]
    shapes = [(t, b, i), (d, g * h, i), (d, g * h, h), (d, 2 * g * h)]
    return [(rng.standard_normal(s) / np.sqrt(s[-1] if n else 1)).astype(dtype) for n, s in enumerate(shapes)]


def cell(kind: str, **attributes: Any) -> rnn.Cell:
    """The attributes that the kinds share."""
    return replace(rnn.PLAIN_CELL if kind == "rnn" else rnn.CELL, **attributes)


def check(
    kind: str,
    arrays: list[Array],
    target: Target,
    *,
    threads: Sequence[int] = (1,),
    constant: tuple[int, ...] = (1, 2, 3),
    names: tuple[str, ...] = (),
    wanted: tuple[int, ...] = (0, 1, 2),
    **attributes: Any,
) -> None:
    """The native layer gives what the reference gives; operands after B go by `names`."""

    def build(x: Value, w: Value, r: Value, b: Value, *rest: Value) -> list[Value]:
        given = dict(zip(names, rest, strict=True))
        of_cell = {name: attributes[name] for name in attributes if hasattr(rnn.CELL, name)}
        others = {name: attributes[name] for name in attributes.keys() - of_cell.keys()}
        results = getattr(rnn, kind)(x, w, r, b, **given, **others, cell=cell(kind, **of_cell))
        return [results[n] for n in wanted if n < len(results)]

    graph = graph_of(build, arrays, constant)
    feeds = [guarded(a) for n, a in enumerate(arrays) if n not in constant]
    expected = reference(build, arrays, constant)
    for got in natives(graph, target, feeds, threads):
        for a, e in zip(got, expected, strict=True):
            assert_close(a, e.astype(a.dtype), arrays[0].shape[0] * arrays[2].shape[-1] * 4)


@TARGETS
@pytest.mark.parametrize("kind", GATES)
@pytest.mark.parametrize(
    ("t", "b", "h"), [(1, 1, 1), (5, 1, 16), (4, 2, 33), (3, 3, 40), (2, 7, 64), (3, 13, 17), (6, 1, 130)]
)
def test_shapes(kind: str, target: Target, t: int, b: int, h: int) -> None:
    for direction, d in DIRECTIONS.items():
        check(kind, operands(kind, t, b, 5, h, d), target, threads=(1, 2, 3), direction=direction)


@TARGETS
@pytest.mark.parametrize("kind", GATES)
@pytest.mark.parametrize("h", [1, 17, 40, 130])
def test_only_gates_that_are_read_are_prefetched(
    kind: str, target: Target, h: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    log, gate = Log(), step._CellWriter._gate

    def traced(cell: Any, number: int) -> Any:
        column = cell.f.add(cell.f.mul(cell.memory.word[Word.UNITS], int_(number)), cell.column)
        log.write(cell.f, cell.f.gep(cell.gates, column, cell.memory.element), READ)
        return gate(cell, number)

    monkeypatch.setattr(step._CellWriter, "_gate", traced)
    monkeypatch.setattr(step, "prefetch", lambda f, at, _level: log.write(f, at, FETCH))
    check(kind, operands(kind, 3, 7, 5, h, 1), target)
    waiting = set[int]()
    for line, event in zip(*map(np.ndarray.tolist, log.take()), strict=True):
        (waiting.add if event == FETCH else waiting.discard)(line)
    assert not waiting


@TARGETS
@pytest.mark.parametrize("kind", GATES)
def test_split_units_between_threads(kind: str, target: Target) -> None:
    check(kind, operands(kind, 4, 2, 8, 256, 1), target, threads=[2])
    check("gru", operands("gru", 3, 1, 8, 300, 2), target, threads=[4], direction="bidirectional")


@TARGETS
@pytest.mark.parametrize("kind", GATES)
@pytest.mark.parametrize("direction", DIRECTIONS)
def test_lengths_and_states(kind: str, target: Target, direction: str) -> None:
    d = DIRECTIONS[direction]
    arrays = operands(kind, 6, 5, 3, 20, d)
    states = [np.random.default_rng(n).standard_normal((d, 5, 20)).astype(np.float32) for n in range(2)]
    names = ("sequence_lens", "initial_h", "initial_c")[: 3 if kind == "lstm" else 2]
    given = [*arrays, np.array([6, 0, 3, 1, 5], np.int32), *states][: 4 + len(names)]
    check(kind, given, target, names=names, direction=direction)


@TARGETS
def test_lengths_out_of_range_are_refused(target: Target) -> None:
    arrays = [*operands("lstm", 3, 4, 2, 8, 2), np.array([3, 3, 3, 3], np.int32)]

    def build(x: Value, w: Value, r: Value, b: Value, lens: Value) -> tuple[Value, ...]:
        return rnn.lstm(x, w, r, b, lens, cell=cell("lstm", direction="bidirectional"))

    for lengths in ([-5, 1, 3, 4], [1, 2**31 - 1, 3, 4]):
        feeds = [guarded(arrays[0]), guarded(np.array(lengths, np.int32))]
        with pytest.raises(RunError, match="out of range"):
            native(graph_of(build, arrays, (1, 2, 3)), target, feeds)


@TARGETS
@pytest.mark.parametrize("forget", [0, 1])
def test_peepholes_and_clip(target: Target, forget: int) -> None:
    p = np.random.default_rng(5).standard_normal((2, 3 * 19)).astype(np.float32)
    arrays = [*operands("lstm", 4, 3, 6, 19, 2), p]
    options: dict[str, Any] = {"direction": "bidirectional", "clip": 0.4, "input_forget": forget}
    check("lstm", arrays, target, names=("p",), **options)
    check("lstm", arrays, target, names=("p",), constant=(1, 2, 3, 4), **options)


@TARGETS
@pytest.mark.parametrize("linear", [0, 1])
def test_gru_resets(target: Target, linear: int) -> None:
    for b, h in ((1, 31), (9, 48), (1, 200)):
        arrays = operands("gru", 5, b, 4, h, 2)
        options: dict[str, Any] = {"direction": "bidirectional", "linear_before_reset": linear}
        check("gru", arrays, target, threads=(1, 2), **options)


@TARGETS
@pytest.mark.parametrize("name", sorted(ACTIVATIONS))
def test_activations(target: Target, name: str) -> None:
    other: dict[str, Any] = {"activations": (name, "Sigmoid"), "direction": "bidirectional"}
    check("rnn", operands("rnn", 4, 3, 5, 18, 2), target, **other)
    check("lstm", operands("lstm", 3, 2, 5, 18, 1), target, activations=(name, "Tanh", name))


@TARGETS
@pytest.mark.parametrize("kind", GATES)
def test_weights_known_at_run_time(kind: str, target: Target) -> None:
    for h in (5, 16, 50):
        check(
            kind,
            operands(kind, 3, 2, 4, h, 2),
            target,
            constant=(1, 3),
            direction="bidirectional",
            threads=[2],
        )
    check("gru", operands("gru", 3, 2, 4, 37, 1), target, constant=(), linear_before_reset=0)


@TARGETS
@pytest.mark.parametrize("kind", GATES)
@pytest.mark.parametrize("wanted", [(0,), (1,), (1, 0)])
def test_unused_results(kind: str, target: Target, wanted: tuple[int, ...]) -> None:
    check(kind, operands(kind, 3, 2, 4, 21, 2), target, wanted=wanted, direction="bidirectional")


@TARGETS
@pytest.mark.parametrize("kind", GATES)
def test_batch_first(kind: str, target: Target) -> None:
    d, (t, b, h) = 2, (4, 3, 22)
    x, *weights = operands(kind, t, b, 6, h, d)
    state = np.random.default_rng(1).standard_normal((b, d, h)).astype(np.float32)
    arrays = [np.ascontiguousarray(x.transpose(1, 0, 2)), *weights, state]
    check(kind, arrays, target, names=("initial_h",), direction="bidirectional", layout=1)


@TARGETS
@pytest.mark.parametrize("kind", GATES)
@pytest.mark.parametrize("dtype", [np.float64, np.float16, ml_dtypes.bfloat16])
def test_other_types(kind: str, target: Target, dtype: Any) -> None:
    for b, h in ((1, 16), (3, 21)):
        check(kind, operands(kind, 3, b, 4, h, 2, dtype), target, direction="bidirectional")


@TARGETS
@pytest.mark.parametrize("kind", GATES)
def test_threads_change_no_bit(kind: str, target: Target) -> None:
    for b, h, direction in (
        (1, 200, "forward"),
        (5, 20, "forward"),
        (9, 33, "bidirectional"),
        (23, 17, "forward"),
    ):
        arrays = operands(kind, 3, b, 4, h, DIRECTIONS[direction])

        def build(*values: Value, direction: str = direction) -> list[Value]:
            return [getattr(rnn, kind)(*values, cell=cell(kind, direction=direction))[0]]

        graph = graph_of(build, arrays, (1, 2, 3))
        results = [got[0] for got in natives(graph, target, [arrays[0]], (1, 2, 3, 5))]
        assert all(np.array_equal(results[0], y) for y in results[1:])


@TARGETS
def test_no_steps_keep_the_state(target: Target) -> None:
    arrays = [*operands("lstm", 1, 2, 3, 9, 1), np.ones((1, 2, 9), np.float32)]
    time = dims.symbol("time")

    def build(x: Value, w: Value, r: Value, b: Value, h: Value) -> tuple[Value, ...]:
        return rnn.lstm(x, w, r, b, None, h)

    graph = graph_of(build, arrays, (1, 2, 3), [(time, 2, 3)])
    program = program_of(graph, target)
    y, h, c = program.run([np.zeros((0, 2, 3), np.float32), arrays[4]], range(3))
    assert y.shape == (0, 1, 2, 9)
    assert (h == 1).all()
    assert (c == 0).all()


@TARGETS
def test_not_a_number_stays_in_its_row(target: Target) -> None:
    arrays = operands("lstm", 3, 4, 3, 20, 1)
    arrays[0][0, 1] = np.nan
    graph = graph_of(lambda *values: rnn.lstm(*values), arrays, (1, 2, 3))
    y, *_ = native(graph, target, [arrays[0]])
    assert np.isnan(y[:, 0, 1]).all()
    assert np.isfinite(np.delete(y, 1, axis=2)).all()


@pytest.mark.parametrize("kind", ["lstm", "gru", "gru_reset", "rnn"])
@TARGETS
def test_sums_stay_in_registers(kind: str, target: Target) -> None:
    for panel in Layer(kind, dt.F32, ()).panels(Goal(target)):
        for rows in range(1, panel.max_rows + 1):
            inner = inner_loop(panel, rows, target)
            assert len(re.findall(r"\bvfmadd", inner)) == 4 * rows * panel.vectors
            assert "rsp" not in inner


def test_short_sums_of_two_steps_stay_in_registers() -> None:
    panel = Panel.of(Goal(isa.V3), "i8", 1, 4)
    assert panel.max_rows == 2
    for rows in (1, 2):
        inner = inner_loop(panel, rows, isa.V3)
        counts = [len(re.findall(name, inner)) for name in (r"\bvpmaddubsw", r"\bvpmaddwd")]
        assert counts == [16 * rows, 8 * rows]
        assert "rsp" not in inner


def inner_loop(panel: Panel, rows: int, target: Target) -> str:
    """The instructions of the loop over k."""
    module = Module()
    define_sums(module, panel, rows)
    assembly = engine.assembly(module.text().replace("define internal", "define"), target)
    loops = re.findall(r"^(\.L\w+):((?:(?!^\.L).)*?\bj\w+\s+\1$)", assembly, re.MULTILINE | re.DOTALL)
    bodies: list[str] = [body for _, body in loops]
    return max(bodies, key=lambda body: len(re.findall(r"\bvp?f?madd", body)))


@pytest.mark.parametrize("target", with_each_feature(), ids=lambda t: "+".join((t.name, *t.features[-1:])))
@pytest.mark.parametrize("dtype", [np.int8, np.uint8])
@pytest.mark.parametrize(("t", "b", "h"), [(1, 1, 3), (5, 1, 64), (3, 2, 33), (4, 9, 20), (3, 1, 320)])
def test_quantised(target: Target, dtype: Any, t: int, b: int, h: int) -> None:
    rng = np.random.default_rng(t + b + h)
    info = np.iinfo(dtype)
    middle, half = (info.min + info.max + 1) // 2, np.arange(4 * h) % h < h // 2
    for direction, d in DIRECTIONS.items():
        last = "Softsign" if h == 33 else "Tanh"
        activations = [(name, 0.0, 0.0) for name in ("Sigmoid", "Tanh", "Tanh", "Sigmoid", "Tanh", last)]
        attrs = {
            "extras": (),
            "direction": direction,
            "activations": tuple(activations[: 3 * d]),
            "clip": None,
            "input_forget": False,
        }
        gates = rng.standard_normal((t, b, d, 4 * h)).astype(np.float32)
        r = rng.integers(info.min, info.max, (d, h, 4 * h), np.int64, endpoint=True)
        # Short sums hold the weights of half of the units, all but one.
        r = np.where(half, middle + (r - middle) // 4, r).astype(dtype)
        r[-1, -1, 0] = info.max
        columns = 1 if h == 64 else 4 * h
        scale = (rng.random((d, columns)) / 1000).astype(np.float32)
        zero = rng.integers(info.min, info.max, (d, columns), dtype, endpoint=True)
        states = [rng.standard_normal((d, b, h)).astype(np.float32) for _ in range(2)]
        arrays = [gates, r, scale, zero, *states]
        shapes = [(dt.F32, (t, d, b, h)), *[(dt.F32, (d, b, h))] * 2]

        def build(*values: Value, attrs: Any = attrs, shapes: Any = shapes) -> tuple[Value, ...]:
            return many("lstm_quantized", values, attrs, shapes)

        graph = graph_of(build, arrays, (1, 2, 3))
        feeds = [guarded(a) for a in (gates, *states)]
        expected = run(graph, feeds)
        for got in natives(graph, target, feeds, (1, 2, 4)):
            for a, e in zip(got, expected, strict=True):
                # A state half way between two integers may go either way, which moves a sum by a step.
                assert np.abs(a - e).max() < 2e-3
                assert np.median(np.abs(a - e)) < 1e-6
