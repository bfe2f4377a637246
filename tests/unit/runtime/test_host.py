"""An operation in Python gives what native code around it was compiled for, or names itself."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest

from sardonyx.base import dim as dims
from sardonyx.base import dtype as dt
from sardonyx.errors import RunError
from sardonyx.ir.origin import origin
from sardonyx.ir.prims import PRIMS, register
from sardonyx.ir.value import make, many, placeholder
from sardonyx.runtime.host import HostOperation, size_of

N = dims.symbol("N")


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A primitive that gives what a test says."""
    monkeypatch.setitem(PRIMS, "told", PRIMS["neg"])
    answer: list[Any] = []
    register("told", "opaque", lambda *_: answer[0])
    return answer


def started(shape: tuple[Any, ...], results: int = 0) -> Any:
    x = placeholder("x", dt.F32, (N,))
    with origin("Node_1"):
        if results:
            value = many("told", (x,), {}, [(dt.F32, shape)] * results)[0].args[0]
        else:
            value = make("told", (x,), {}, dt.F32, shape)
    return pickle.loads(pickle.dumps(HostOperation.of(value))).start(None)


def test_results_have_their_type_and_lie_dense(told: Any) -> None:
    told.append(np.arange(6.0).reshape(2, 3).T)
    got = started((3, 2))([np.zeros(1)], {})
    assert (got.dtype, got.flags.c_contiguous, got.shape) == (np.float32, True, (3, 2))


@pytest.mark.parametrize(("shape", "expected"), [((3,), "[3]"), ((N,), "[4]"), ((2, 2), "[2, 2]")])
def test_another_shape_is_named(told: Any, shape: Any, expected: str) -> None:
    told.append(np.zeros(2))
    with pytest.raises(RunError, match=r"Node_1: told gives shape \[2\]") as error:
        started(shape)([np.zeros(1)], {"N": 4})
    assert expected in str(error.value)


def test_single_numbers_of_several_results_are_tensors_without_axes(told: Any) -> None:
    told.append((np.float64(2), 3))
    got = started((), 2)([np.zeros(1)], {})
    assert [(a.dtype, a.shape, a.item()) for a in got] == [(np.float32, (), 2), (np.float32, (), 3)]
    with pytest.raises(RunError, match=r"Node_1: told gives shape \[\], \[1\] was expected"):
        started((1,), 2)([np.zeros(1)], {})


@pytest.mark.parametrize("result", [[1.0], None, {}])
def test_what_is_no_tensor_is_named(told: Any, result: Any) -> None:
    told.append((result, np.zeros(1)))
    with pytest.raises(RunError, match=f"told gives a {type(result).__name__}, a tensor was expected"):
        started((1,), 2)([np.zeros(1)], {})


def test_a_size_that_the_result_gives_may_be_any(told: Any) -> None:
    told.append(np.zeros(2))
    assert started((dims.symbol("open"),))([np.zeros(1)], {}).shape == (2,)


def test_the_number_of_results_is_checked(told: Any) -> None:
    told.append((np.zeros(1), np.zeros(1)))
    assert len(started((1,), 2)([np.zeros(1)], {})) == 2
    with pytest.raises(RunError, match="2 results, 3 were expected"):
        started((1,), 3)([np.zeros(1)], {})


def test_sizes() -> None:
    assert size_of(N * 2, {"N": 3}) == 6
    assert size_of(N, {}) is None
    assert size_of(5, {}) == 5


def test_for_known_sizes_every_result_is_checked(told: Any) -> None:
    operate = started((N, 2)).for_sizes({"N": 3})
    right = np.ones((3, 2), np.float32)
    told[:] = [right]
    assert operate(()) is right
    told[:] = [right.astype(np.float64)]
    assert operate(()).dtype == np.float32
    told[:] = [np.asfortranarray(right)]
    assert operate(()).flags.c_contiguous
    told[:] = [np.ones((4, 2), np.float32)]
    with pytest.raises(RunError, match=r"shape \[4, 2\]"):
        operate(())
    assert started((dims.symbol("free"),)).for_sizes({"N": 3}) is None
    assert started((N,), results=2).for_sizes({"N": 3}) is None
