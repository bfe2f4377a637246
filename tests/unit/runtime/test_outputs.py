"""Large outputs: memory serves again only when no array looks at it, and never without end."""

from __future__ import annotations

import gc
import sys
import threading
from typing import Any
from unittest import mock

import numpy as np
import pytest

import sardonyx
from sardonyx.runtime import allocate, shortcut
from sardonyx.runtime.outputs import LEAST_BYTES, Outputs, are_fresh
from sardonyx.runtime.pointers import address_of
from tests.unit.runtime.programs import f32, model, program

Array = np.ndarray[Any, Any]
LARGE = (64, LEAST_BYTES // 256)
F32 = np.dtype(np.float32)


def test_memory_serves_again_once_it_is_let_go() -> None:
    made = Outputs()
    first = made.empty(0, LARGE, F32)
    assert (first.shape, first.dtype, first.flags.writeable, first.flags.c_contiguous) == (
        LARGE,
        F32,
        True,
        True,
    )
    address = address_of(first)
    assert address % 64 == 0
    del first
    assert address_of(made.empty(0, LARGE, F32)) == address


@pytest.mark.parametrize("view", [lambda a: a[3:, 1::2], lambda a: a.T.reshape(-1)[5:], memoryview])
def test_memory_that_is_looked_at_is_left_alone(view: Any) -> None:
    made = Outputs()
    kept = made.empty(0, LARGE, F32)
    kept[...] = 7
    kept = view(kept)
    gc.collect()
    made.empty(0, LARGE, F32)[...] = 8
    made.empty(0, LARGE, F32)[...] = 9
    assert (np.asarray(kept) == 7).all()


def test_outputs_grow_into_the_memory_and_small_ones_do_not_hold_it() -> None:
    made = Outputs()
    at = address_of(made.empty(0, (16, LEAST_BYTES // 16), np.dtype(np.int8)))
    assert address_of(made.empty(0, (17, LEAST_BYTES // 16), np.dtype(np.int8))) == at
    made.empty(0, (64, LEAST_BYTES), F32)
    made.empty(0, LARGE, F32)
    assert made._kept[0].nbytes <= 2 * 4 * LARGE[0] * LARGE[1]


def test_of_each_output_one_block_is_kept() -> None:
    made = Outputs()
    held = [made.empty(n % 2, LARGE, F32) for n in range(10)]
    assert not any(np.shares_memory(a, b) for n, a in enumerate(held) for b in held[:n])
    held.clear()
    assert set(made._kept) == {0, 1}


def test_small_outputs_objects_and_guarded_memory_are_plain_arrays() -> None:
    made = Outputs()
    assert made.empty(0, (LEAST_BYTES // 4 - 1,), F32).flags.owndata
    assert made.empty(0, (0, LEAST_BYTES), F32).shape == (0, LEAST_BYTES)
    assert (made.empty(0, LARGE, np.dtype(object)) == None).all()  # noqa: E711
    with mock.patch.object(allocate, "empty", lambda *args: np.empty(*args)):
        assert made.empty(0, LARGE, F32).flags.owndata


def test_threads_never_share_memory() -> None:
    made, wrong = Outputs(), []

    def work(number: int) -> None:
        for _ in range(300):
            array = made.empty(0, LARGE, F32)
            array[...] = number
            if not (array == number).all():
                wrong.append(number)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_arrays_outlive_their_program() -> None:
    data = model("g (float[N] x) => (float[N] y, float[N] z) { y = Neg(x) z = Abs(x) }")
    x = f32(LEAST_BYTES)
    made = program(data)
    made.run((x,), (0, 1))
    again = made.run((x,), (0, 1))
    del made
    gc.collect()
    np.testing.assert_array_equal(again[0], -x)
    np.testing.assert_array_equal(again[1], np.abs(x))


def test_runs_reuse_memory() -> None:
    made = program(model("g (float[N] x) => (float[N] y) { y = Neg(x) }"))
    x = f32(LEAST_BYTES)
    assert len({address_of(made.run((x,), (0,))[0]) for _ in range(5)}) == 1


@pytest.mark.parametrize(
    ("sizes", "fresh"),
    [
        ([], False),
        ([1 << 24], False),
        ([1 << 20, 1 << 20], False),
        ([1 << 20] * 3, True),
        ([1 << 22, 1 << 20, 1 << 20], False),
        ([LEAST_BYTES - 1] * 9, False),
        ([31 << 20], False),
        ([1 << 25], True),
    ],
)
def test_which_outputs_would_be_fresh_memory(sizes: list[int], fresh: bool) -> None:
    assert are_fresh(sizes) is fresh


@pytest.mark.skipif(sys.platform != "linux", reason="counts the page faults of glibc's memory")
@pytest.mark.parametrize(
    "size_bytes", [1 << 24, 31 << 20, (1 << 25) - (1 << 12), 1 << 25, (1 << 25) + (1 << 16)]
)
def test_large_outputs_of_later_runs_fault_no_pages(size_bytes: int) -> None:
    import resource

    session = sardonyx.InferenceSession(model("g (int64[N] x) => (int64[N] y) { y = Neg(x) }"))
    x = np.zeros(size_bytes // 8, np.int64)
    for _ in range(30):
        session.run(None, {"x": x})
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(5):
        session.run(None, {"x": x})
    assert resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before < 50


def test_runs_with_several_large_outputs_have_no_shortcut() -> None:
    three = "float[N] a, float[N] b, float[N] c"
    text = f"g (float[N] x) => ({three}) {{ a = Abs(x)  b = Neg(x)  c = Exp(x) }}"
    made = sardonyx.InferenceSession(model(text))
    by_python: list[Any] = []
    call = shortcut.Shortcut.__call__

    def counted(*args: Any) -> list[Any]:
        by_python.append(args)
        return call(*args)

    with mock.patch.object(shortcut.Shortcut, "__call__", counted):
        for size, runs in ((LEAST_BYTES, 20), (8, 0)):
            for _ in range(2):
                by_python.clear()
                for _ in range(20):
                    made.run(None, {"x": np.ones(size, np.float32)})
            assert len(by_python) == runs
