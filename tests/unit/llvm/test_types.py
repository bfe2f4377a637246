"""Types are read off their text."""

from __future__ import annotations

import pytest

from sardonyx.llvm.types import lanes_of, mangle, scalar_of, size_of, vector_of


@pytest.mark.parametrize(
    ("scalar", "lanes", "type_"),
    [("float", 8, "<8 x float>"), ("float", 1, "float"), ("i1", 16, "<16 x i1>")],
)
def test_a_vector_is_lanes_of_a_scalar(scalar: str, lanes: int, type_: str) -> None:
    assert vector_of(scalar, lanes) == type_
    assert (scalar_of(type_), lanes_of(type_)) == (scalar, lanes)


def test_intrinsics_name_their_types() -> None:
    names = [mangle(t) for t in ("<16 x float>", "<4 x bfloat>", "double", "ptr", "i64")]
    assert names == ["v16f32", "v4bf16", "f64", "p0", "i64"]


def test_bytes_in_memory() -> None:
    assert [size_of(t) for t in ("half", "float", "double", "ptr", "i1", "i8", "i128")] == [
        2,
        4,
        8,
        8,
        1,
        1,
        16,
    ]
    with pytest.raises(AssertionError):
        size_of("label")
