"""Constants are computed at build time where that is exact and small, symbolic sizes included."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sardonyx.base import dim as dims
from sardonyx.base import dtype as dt
from sardonyx.errors import ShapeError
from sardonyx.ir.fold import SYMBOLIC_LIMIT, empty, fold

N = dims.symbol("N")


def number(*values: Any, dtype: dt.DType = dt.F32) -> tuple[Any, dt.DType]:
    return np.array(values, dtype.numpy), dtype


def sizes(*values: Any) -> tuple[Any, dt.DType]:
    data = np.empty(len(values), object)
    data[:] = values
    return data, dt.I64


def test_numbers_are_computed_in_their_type() -> None:
    found = fold("add", [number(1, 2), number(0.5, 0.25)], {}, dt.F32, (2,))
    assert found is not None
    assert found.dtype == np.float32
    assert found.tolist() == [1.5, 2.25]


def test_sizes_stay_symbols() -> None:
    found = fold("mul", [sizes(N, 3), sizes(2, 4)], {}, dt.I64, (2,))
    assert found is not None
    assert dims.equal(found[0], N * 2) is True
    assert found[1] == 12


@pytest.mark.parametrize(
    ("prim", "args", "attrs", "shape"),
    [
        ("sqrt", [sizes(N)], {}, (1,)),
        ("div", [sizes(N), number(2.0)], {}, (1,)),
        ("add", [sizes(N), number(0.5)], {}, (1,)),
        ("add", [number(1.0), number(2.0)], {}, (N,)),
        ("topk", [number(1.0, 2.0)], {"k": 1, "axis": 0, "largest": True}, (1,)),
        ("broadcast", [sizes(N)], {"shape": (SYMBOLIC_LIMIT + 1,)}, (SYMBOLIC_LIMIT + 1,)),
        ("slice", [number(1.0, 2.0)], {"start": (N,), "step": (1,), "size": (1,)}, (1,)),
    ],
    ids=[
        "no law for sizes",
        "a quotient",
        "a fraction",
        "open shape",
        "algorithm",
        "large",
        "open attribute",
    ],
)
def test_what_is_left_to_run_time(prim: str, args: Any, attrs: Any, shape: Any) -> None:
    assert fold(prim, args, attrs, dt.F32, shape) is None


def test_halves_are_computed_in_single() -> None:
    many = (np.full(1000, 100, np.float16), dt.F16)
    found = fold("sum", [many], {"axes": (0,)}, dt.F16, (1,))
    assert found is not None
    assert found.dtype == np.float32
    assert found.tolist() == [100_000]


def test_empty_tensors() -> None:
    assert empty(dt.F32, (0, N)).shape == (0, 1)
    with pytest.raises(ShapeError, match=r"\[-1, 0\] cannot be: a size is negative"):
        empty(dt.F32, (-1, 0))
    with pytest.raises(ShapeError, match="too large"):
        empty(dt.F32, (1 << 62, 1 << 62, 0))


def test_what_doubles_is_left_to_run_time_once_it_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sardonyx.ir.fold._FOLD_LIMIT", 3)
    one, other = number(1.0, 2.0), number(3.0, 4.0)
    again = (one[0].reshape(2), dt.F32)
    for twice in ([one, one], [one, again]):
        assert fold("concat", twice, {"axis": 0}, dt.F32, (4,)) is None
    joined = fold("concat", [one, other], {"axis": 0}, dt.F32, (4,))
    assert joined is not None and joined.tolist() == [1, 2, 3, 4]
