"""What is known of the tensors in a sequence: of two sequences, what holds of both."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sardonyx.base import dim as dims
from sardonyx.base import dtype as dt
from sardonyx.errors import ShapeError
from sardonyx.ir.value import make, placeholder
from sardonyx.ops.elements import MIXED_RANK, UNKNOWN_RANK, Elements, declared, elements, join, nature

N = dims.symbol("N")
shapes = st.one_of(
    st.just(UNKNOWN_RANK), st.lists(st.sampled_from([1, 2, -1, N]), max_size=2).map(tuple)
)  # fmt: skip
known = st.one_of(st.just(()), shapes.map(lambda s: ((dt.F32, s),)))


@given(known, known, known)
def test_joining_is_the_least_that_covers_both(a: Elements, b: Elements, c: Elements) -> None:
    assert join(a, a) == a
    assert join(a, ()) == a == join((), a)
    assert join(a, b) == join(b, a)
    assert join(join(a, b), c) == join(a, join(b, c))


def test_sizes_that_differ_are_not_known() -> None:
    assert join(((dt.F32, (2, N)),), ((dt.F32, (3, N)),)) == ((dt.F32, (-1, N)),)
    assert join(((dt.F32, (2,)),), ((dt.F32, (2, 2)),)) == ((dt.F32, MIXED_RANK),)
    with pytest.raises(ShapeError, match="cannot hold tensors of types float and double"):
        join(((dt.F32, (2,)),), ((dt.F64, (2,)),))


def test_names_in_a_declaration_bind_nothing() -> None:
    assert declared(dt.I64, (3, N)) == ((dt.I64, (3, -1)),)
    assert declared(dt.I64, None) == ((dt.I64, UNKNOWN_RANK),)


def test_values() -> None:
    x = placeholder("x", dt.F32, (N, 3))
    assert elements(x) == ((dt.F32, (N, 3)),)
    rows = make("sequence", (x,), {}, dt.OBJECT, (), ((dt.F32, (-1, 3)),))
    assert elements(rows) == ((dt.F32, (-1, 3)),)
    some = make("optional", (rows,), {}, dt.OBJECT, ())
    none = make("optional", (), {"type": "tensor("}, dt.OBJECT, ())
    told = make("input", (), {"name": "q", "type": "map("}, dt.OBJECT, ())
    assert [nature(v) for v in (x, rows, some, none, told)] == [
        "tensor(",
        "seq(",
        "optional(seq(",
        "optional(tensor(",
        "map(",
    ]
