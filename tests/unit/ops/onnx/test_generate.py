"""Triangles and diagonals, wherever the diagonal is and whatever tells the sizes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import sardonyx
from sardonyx.base import dtype as dt
from sardonyx.frontend import load
from tests.unit.frontend.models import parsed

FAR = [0, 1, -1, 6, 7, -5, -6, 2**31, -(2**31), 2**62, -(2**62), 2**63 - 1, 1 - 2**63]


def native(body: str, **feeds: Any) -> Any:
    """What compiled code gives."""
    return sardonyx.InferenceSession(parsed(body, 22).SerializeToString()).run(None, feeds)[0]


@pytest.mark.parametrize("sizes", ["2,5,7", "N,H,W"])
@pytest.mark.parametrize("upper", [0, 1])
@pytest.mark.parametrize(("kind", "dtype"), [("float", np.float32), ("bool", np.bool_), ("int64", np.int64)])
def test_triangles(sizes: str, upper: int, kind: str, dtype: Any) -> None:
    x = np.random.default_rng(0).integers(1, 3, (2, 5, 7)).astype(dtype)
    if dtype is np.float32:
        x[0, 2, 2:4] = np.nan
    for k in FAR:
        near = max(-9, min(k, 9))
        expected = np.triu(x, near) if upper else np.tril(x, near)
        fed = f"g ({kind}[{sizes}] x, int64 k) => ({kind}[?] y) {{ y = Trilu<upper = {upper}>(x, k) }}"
        known = f"""g ({kind}[{sizes}] x) => ({kind}[?] y) {{
            k = Constant<value_int = {k}>() y = Trilu<upper = {upper}>(x, k)
        }}"""
        np.testing.assert_array_equal(native(known, x=x), expected)
        np.testing.assert_array_equal(native(fed, x=x, k=np.array(k)), expected)


@pytest.mark.parametrize("sizes", ["5,7", "H,W"])
def test_diagonals(sizes: str) -> None:
    x = np.zeros((5, 7), np.float32)
    for k in FAR:
        body = f"g (float[{sizes}] x) => (float[?] y) {{ y = EyeLike<k = {k}>(x) }}"
        expected = np.eye(5, 7, k) if abs(k) < 8 else x
        np.testing.assert_array_equal(native(body, x=x), expected)


@pytest.mark.parametrize(("rows", "columns"), [(5, 0), (0, 5), (0, 0)])
def test_no_elements(rows: int, columns: int) -> None:
    x = np.zeros((rows, columns), np.float32)
    body = f"g (float[{rows},{columns}] x) => (float[?] y) {{ y = Trilu(x) }}"
    assert native(body, x=x).shape == x.shape


@pytest.mark.parametrize(
    ("sizes", "narrow"),
    [("500,700", True), (f"3,{2**31 - 4}", True), (f"3,{2**31}", False), ("N,700", False)],
)
def test_places_are_narrow_where_all_fit(sizes: str, narrow: bool) -> None:
    """Twice as many fit a vector."""
    body = f"g (float[{sizes}] x) => (float[?] y) {{ y = Trilu(x) }}"
    places = [v.dtype for v in load(parsed(body, 22)).graph.order() if v.prim == "iota"]
    assert places
    assert set(places) == {dt.I32 if narrow else dt.I64}
