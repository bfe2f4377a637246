"""A prepared model takes its inputs by position, and few options of a run by name."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sardonyx.backend.backend_rep import RUN_OPTIONS, OnnxRuntimeBackendRep, allowed
from sardonyx.ort.options import RunOptions
from sardonyx.ort.session import InferenceSession
from tests.unit.runtime.programs import model

X, Y = np.float32([5, 6]), np.float32([1, 2])


def prepared(text: str) -> OnnxRuntimeBackendRep:
    return OnnxRuntimeBackendRep(InferenceSession(model(text)))


@pytest.fixture(scope="module")
def two() -> OnnxRuntimeBackendRep:
    return prepared("g (float[N] x, float[N] y) => (float[N] d, float[N] s) { d = Sub(x, y) s = Add(x, y) }")


@pytest.fixture(scope="module")
def one() -> OnnxRuntimeBackendRep:
    return prepared("g (float[N] x) => (float[N] y) { y = Neg(x) }")


def test_inputs_come_in_the_order_of_the_model(two: OnnxRuntimeBackendRep) -> None:
    difference, total = two.run([X, Y])
    np.testing.assert_array_equal(difference, X - Y)
    np.testing.assert_array_equal(total, X + Y)


@pytest.mark.parametrize("given", [X, [X], [X, Y]])
def test_a_single_input_needs_no_list(one: OnnxRuntimeBackendRep, given: Any) -> None:
    (found,) = one.run(given)
    np.testing.assert_array_equal(found, -X)


@pytest.mark.parametrize(("given", "count"), [([X], 1), ([], 0), (X, 1)])
def test_too_few_inputs_are_refused(two: OnnxRuntimeBackendRep, given: Any, count: int) -> None:
    with pytest.raises(RuntimeError, match=rf"Model expect 2 inputs \(x, y\), got {count}"):
        two.run(given)


def test_options_of_a_run_by_name(one: OnnxRuntimeBackendRep) -> None:
    one.run([X], log_severity_level=3, logid="mine", nonsense=1)
    with pytest.raises(RuntimeError, match="RunOptions attribute 'terminate' is not permitted"):
        one.run([X], terminate=True)


def test_what_is_allowed() -> None:
    options = RunOptions()
    assert all(hasattr(options, name) for name in RUN_OPTIONS)
    assert allowed(options, {"logid": "a", "unheard_of": 2}, RUN_OPTIONS) == {"logid": "a"}
    with pytest.raises(RuntimeError, match="Allowed attributes: log_severity_level, log_verbosity_level"):
        allowed(options, {"terminate": True}, RUN_OPTIONS)
    with pytest.raises(RuntimeError, match="is not permitted"):
        allowed(options, {"logid": "a"}, frozenset())
