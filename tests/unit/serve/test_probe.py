"""A trial run finds a size that a model takes, and whether its rows know of each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from sardonyx.protocol.errors import ServeError
from sardonyx.serve.probe import cost_ns, joins, sample, warm, warm_as_told
from sardonyx.serve.signature import Port, Signature

Array = np.ndarray[Any, Any]


def signature(*dims: Any, batches: bool = True, datatype: str = "FP32") -> Signature:
    return Signature("m", (Port("x", datatype, dims),), (Port("y", datatype, dims),), batches)


@pytest.mark.parametrize("datatype", ["FP32", "BF16", "INT8", "BOOL", "BYTES"])
def test_samples_fit_their_port(datatype: str) -> None:
    array = sample(Port("x", datatype, (None, 3, "n")), 2, 5, 0)
    assert array.shape == (2, 3, 5)
    if datatype != "BYTES":
        assert float(array.astype(np.float64).max()) <= 1


def test_a_size_is_found_that_a_model_takes() -> None:
    def picky(feeds: Sequence[Array]) -> list[Array]:
        if feeds[0].shape[1] % 7:
            raise ValueError
        return list(feeds)

    assert warm(signature(None, "n"), picky) == 224
    assert warm(signature(None, 3), lambda f: list(f)) == 32, "nothing is free: one try"
    assert warm(signature(None, 3), lambda _: 1 / 0) is None  # type: ignore[arg-type, return-value]


@pytest.mark.parametrize(
    ("call", "independent"),
    [
        (lambda f: [f[0] * 2], True),
        (lambda f: [f[0] - f[0].mean()], False),
        (lambda f: [f[0].sum(keepdims=True)], False),
        (lambda f: [f[0][:1]], False),
        (lambda f: [f[0] / (f[0] - f[0])], True),
    ],
)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_rows_that_know_of_each_other_are_not_joined(call: Any, independent: bool) -> None:
    assert joins(signature(None, 3), call, 4) == independent
    assert not joins(signature(None, 3, batches=False), call, 4)


def test_costs_are_the_least_of_a_few() -> None:
    calls: list[int] = []
    assert cost_ns(signature(None, 3), lambda f: calls.append(1) or [], 1) > 0  # type: ignore[func-returns-value]
    assert len(calls) > 1


def test_warm_up_rows_are_run_as_told() -> None:
    seen: list[Array] = []

    def call(feeds: Sequence[Array]) -> list[Array]:
        seen.extend(feeds)
        return []

    entry = {"data_type": "TYPE_FP32", "dims": ["3"]}
    rows = [
        {"name": "a", "batch_size": 2, "inputs": {"x": {**entry, "zero_data": True}}, "count": 2},
        {"name": "b", "inputs": {"x": {**entry, "random_data": True}}},
    ]
    warm_as_told(rows, signature(None, 3), call)
    assert [array.shape for array in seen] == [(2, 3), (2, 3), (3,)]
    assert not seen[0].any()
    assert seen[2].any()
    with pytest.raises(ServeError, match="row 'c' has no input 'x'"):
        warm_as_told([{"name": "c"}], signature(None, 3), call)
