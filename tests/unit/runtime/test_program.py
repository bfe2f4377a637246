"""Programs run: any sizes, several threads at once, errors that leave them usable, memory that comes back."""

from __future__ import annotations

import gc
import marshal
import threading
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from sardonyx.errors import RunError, ShapeError
from sardonyx.runtime import bound
from sardonyx.runtime.data import CallCosts
from sardonyx.runtime.program import Program, _Timer
from tests.unit.runtime.programs import GATHER, NONZERO, WRITTEN, check, f32, linear, model, program, scaled

Array = np.ndarray[Any, Any]


@pytest.mark.parametrize("threads", [1, 2])
def test_one_program_serves_every_size(threads: int) -> None:
    data = linear()
    made = program(data, threads=threads)
    for rows in (1, 5, 1, 700, 5):
        check(made, data, f32(rows, 8, seed=rows))


def test_outputs_are_fresh_and_writable() -> None:
    data = model("g (float[N] x) => (float[N] y, float[N] z) { y = Identity(x) z = Identity(x) }")
    x = f32(6)
    y, z = program(data).run((x,), (0, 1))
    assert not np.shares_memory(y, x)
    assert not np.shares_memory(y, z)
    y[:] = 0
    np.testing.assert_array_equal(z, x)


def test_wanted_outputs_come_in_the_order_asked_for() -> None:
    data = model("g (float[N] x) => (float[N] y, float[N] z) { y = Neg(x) z = Abs(x) }")
    x = f32(3)
    z, y = program(data).run((x,), (1, 0))
    np.testing.assert_array_equal(y, -x)
    np.testing.assert_array_equal(z, np.abs(x))
    assert len(program(data).run((x,), (1,))) == 1


def test_a_run_is_native_in_whatever_order_outputs_are_written() -> None:
    orders = ("int64[N,1] s, float[N,2] e", "float[N,2] e, int64[N,1] s")
    body = "{ e = MatMul(x, w) s = ArgMax<axis = 1>(e) }"
    weights = "float[2,2] w = {1, 2, 3, 5}"
    both = [program(model(f"g (float[N,2] x) => ({outputs}) <{weights}> {body}")) for outputs in orders]
    assert all(made.is_native for made in both)
    x = np.array([[1, 1], [1, -1]], np.float32)
    (first, second), (second_, first_) = (made.run([x], (0, 1)) for made in both)
    assert first.tolist() == first_.tolist() == [[1], [0]]
    assert second.tolist() == second_.tolist() == [[4, 7], [-2, -3]]


def test_read_only_feeds_of_any_alignment() -> None:
    data = linear()
    memory = np.zeros(8 * 4 * 5 + 1, np.uint8)
    x = memory[: 8 * 4 * 5].view(np.float32).reshape(5, 8)
    x[:] = f32(5, 8)
    x.flags.writeable = False
    check(program(data), data, x)


def test_an_empty_axis_has_a_program_of_its_own() -> None:
    data = linear()
    made = program(data)
    assert made.run((f32(0, 8),), (0,))[0].shape == (0, 4)
    check(made, data, f32(2, 8))
    assert made.run((f32(0, 8),), (0,))[0].shape == (0, 4)


def test_contradicting_sizes_are_named() -> None:
    made = program(model("g (float[N] x, float[N] z) => (float[N] y) { y = Add(x, z) }"))
    with pytest.raises(ShapeError, match=r"'z': axis 0 has size 3, but N is 2"):
        made.run((f32(2), f32(3)), (0,))
    assert made.run((f32(2), f32(2)), (0,))[0].shape == (2,)


def test_equal_names_of_sizes_may_stand_for_different_ones() -> None:
    made = program(model("g (float[N, K] x, float[N, K] z) => (float[N, K] y) { y = Add(x, z) }"))
    for shape in ((3, 4), (1, 4), (3, 1), (1, 1), (3, 4)):
        y = made.run((f32(3, 4), f32(*shape)), (0,))[0]
        np.testing.assert_array_equal(y, f32(3, 4) + f32(*shape))


def test_sizes_below_what_a_graph_assumes_have_programs_of_their_own() -> None:
    text = "g (float[N, 3, H] x) => (float[N, 3, M] y) { y = MaxPool<kernel_shape = [3], strides = [2]>(x) }"
    made = program(model(text))
    for size, length in ((7, 3), (2, 1), (3, 1), (2, 1), (1, 0)):
        assert made.run((f32(2, 3, size),), (0,))[0].shape == (2, 3, length)


@pytest.mark.parametrize("threads", [1, 2])
def test_an_error_of_a_kernel_names_the_node_and_leaves_the_program_usable(threads: int) -> None:
    data = model(GATHER)
    made = program(data, threads=threads)
    x, good, bad = f32(4, 3), np.array([3, -4, 0]), np.array([1, 4, 0])
    for _ in range(3):
        with pytest.raises(RunError, match=r"Gather.*index 4 is out of range for an axis of size 4"):
            made.run((x, bad), (0,))
        check(made, data, x, good)
    (binder,) = made.binders
    assert len(next(iter(binder.table.values())).frames) == 1


def test_sizes_that_depend_on_data() -> None:
    data = model(NONZERO)
    made = program(data)
    for seed in range(4):
        x = np.maximum(f32(50, seed=seed), 0)
        check(made, data, x, f32(3 + seed))
    check(made, data, np.zeros(4, np.float32), f32(2))


def test_steps_in_python_between_native_segments() -> None:
    data = model(WRITTEN)
    made = program(data)
    assert sum(segment.host is not None for segment in made.data.segments) == 2
    assert [note.op for note in made.report.fallbacks] == ["to_text", "from_text"]
    for rows in (1, 4, 2):
        check(made, data, f32(rows, 8, seed=rows))


def together(work: Callable[[int], None], count: int = 6) -> None:
    """Run `work(number)` in several Python threads and raise what any of them raises."""
    failures: list[BaseException] = []

    def guarded(number: int) -> None:
        try:
            work(number)
        except BaseException as failure:
            failures.append(failure)

    threads = [threading.Thread(target=guarded, args=(n,)) for n in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("text", ["linear", NONZERO, WRITTEN], ids=["linear", "nonzero", "written"])
def test_python_threads_share_a_program(text: str, threads: int) -> None:
    data = linear() if text == "linear" else model(text)
    made = program(data, threads=threads)

    def feeds(number: int) -> tuple[Array, ...]:
        if text == NONZERO:
            return np.maximum(f32(300, seed=number), 0), f32(8, seed=number)
        return (f32(100 + number % 3, 8, seed=number),)

    def work(number: int) -> None:
        expected = check(made, data, *feeds(number))
        for _ in range(30):
            for a, e in zip(made.run(feeds(number), tuple(range(len(expected)))), expected, strict=True):
                np.testing.assert_array_equal(a, e)

    together(work)
    for binder in made.binders:
        assert all(len(found.frames) <= bound._IDLE for found in binder.table.values())
        assert len(binder.arenas) <= bound._IDLE


def test_memory_of_sizes_that_do_not_come_back_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bound, "_MOST_BOUND", 8)
    text = "g (float[N,8] x) => (float[N,1] y) <int64[1] i = {1}> { a = CumSum(x, i) y = ReduceMax(a, i) }"
    data = model(text)
    made = program(data)
    (binder,) = made.binders
    for rows in range(1, 40):
        made.run((f32(7, 8),), (0,))
        made.run((f32(rows, 8),), (0,))
        assert len(binder.table) <= 8
    assert ((7, 8),) in binder.table
    assert len(binder.arenas) <= 1


def test_a_program_that_is_not_used_any_more_goes_away() -> None:
    made = program(linear())
    made.run((f32(2, 8),), (0,))
    seen = weakref.ref(made)
    del made
    gc.collect()
    assert seen() is None


@pytest.mark.parametrize("threads", [1, 2])
def test_a_profile_has_every_call_with_its_nodes(threads: int) -> None:
    made = program(model(WRITTEN), threads=threads)
    outputs, times = made.profile((f32(500, 8),))
    np.testing.assert_array_equal(outputs[0], made.run((f32(500, 8),), (0,))[0])
    names = [name for time in times for name in time.origins]
    assert [name.split("_")[0] for name in names] == ["Relu", "Cast", "Cast", "Exp"]
    assert all(time.busy_ns > 0 for time in times)
    assert all(time.wait_ns >= 0 for time in times)


@pytest.mark.parametrize("rows", [5, 500])
def test_a_profile_knows_what_a_call_computes_and_moves(rows: int) -> None:
    made = program(linear())
    (call,) = (time for time in made.profile((f32(rows, 8),))[1] if time.origins)
    assert call.flops == 2 * rows * 8 * 4
    assert 4 * (rows * 12 + 32) <= call.traffic_bytes <= 4 * (rows * 12 + 32 * 16 + 64), "w may be padded"


def test_costs_of_sizes_that_contradict_each_other_are_unknown() -> None:
    made = program(scaled())
    broken = CallCosts(
        ("N",), marshal.dumps(compile("def evaluate(n): return [n // 0]", "", "exec")), ((0, 0),)
    )
    timer = _Timer(made.team, made.data, {"N": 3})
    assert timer._costs(made.data.segments[0]._replace(costs=broken)) == [(0, 0)]


def test_the_report_tells_what_a_program_takes() -> None:
    made = program(linear())
    made.run((f32(64, 8),), (0,))
    counters = made.report.counters
    assert counters["weight_bytes"] >= 4 * (32 + 4)
    assert counters["code_bytes"] > 1000
    assert isinstance(made, Program)


def test_unused_and_passed_on_inputs() -> None:
    data = model("g (float[N] x, float[M] z) => (float[N] y) { y = Neg(x) }")
    check(program(data), data, f32(3), f32(5))
