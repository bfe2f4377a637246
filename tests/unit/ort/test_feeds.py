"""What is fed becomes what the model declares, bit for bit, or an error that says why it cannot."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from sardonyx.base.signature import TensorInfo
from sardonyx.ort.exceptions import Fail, InvalidArgument, RuntimeException
from sardonyx.ort.feeds import FeedSpec, holds_texts, missing_inputs, prepare
from sardonyx.ort.ortvalue import OrtValue


def spec(type_: str = "tensor(float)", shape: tuple[int | str | None, ...] | None = None) -> FeedSpec:
    return FeedSpec.of(TensorInfo("x", type_, shape))


@pytest.mark.parametrize(
    ("type_", "kind", "element", "optional", "plain"),
    [
        ("tensor(float)", "tensor", "float", False, True),
        ("optional(tensor(int64))", "tensor", "int64", True, False),
        ("seq(tensor(string))", "seq", "string", False, False),
        ("optional(seq(tensor(bool)))", "seq", "bool", True, False),
        ("map(int64, float)", "map", None, False, False),
        ("sparse_tensor(double)", "sparse_tensor", "double", False, False),
        ("tensor(nothing)", "tensor", None, False, False),
    ],
)
def test_types_are_read(type_: str, kind: str, element: str | None, optional: bool, plain: bool) -> None:
    made = spec(type_)
    name = made.element.onnx_name if made.element is not None else None
    assert (made.kind, name, made.optional, made.is_plain) == (kind, element, optional, plain)


@settings(max_examples=30, deadline=None)
@given(
    hnp.arrays(
        st.sampled_from([">f4", "<f4"]).map(np.dtype),
        hnp.array_shapes(max_dims=3, max_side=4),
        elements=st.floats(width=32),
    ),
    st.booleans(),
)
def test_numbers_keep_their_bits_in_every_layout(array: Any, turned: bool) -> None:
    fed = array.T if turned else array
    got = prepare(fed, spec())
    assert got.dtype == np.float32
    assert got.dtype.isnative
    assert got.flags.c_contiguous
    assert got.flags.aligned
    assert got.tobytes() == np.ascontiguousarray(fed.astype("=f4")).tobytes()


def test_memory_that_lies_well_is_not_copied() -> None:
    array = np.zeros(3, np.float32)
    assert prepare(array, spec()) is array
    assert prepare(OrtValue(array), spec()) is array
    odd = np.frombuffer(bytes(13), np.float32, offset=1)
    assert prepare(odd, spec()).flags.aligned


def test_lists_and_numbers_take_the_declared_type() -> None:
    assert prepare([[1, 2], [3, 4]], spec("tensor(int64)")).dtype == np.int64
    assert prepare(1.5, spec(shape=())).shape == ()
    assert prepare(np.float32(2), spec(shape=())).shape == ()
    with pytest.raises(RuntimeError, match="given input list for input 'x'"):
        prepare([[1], [2, 3]], spec())
    for bad in ("text", b"bytes", {1}, object()):
        with pytest.raises(RuntimeError, match="model expects tensor"):
            prepare(bad, spec())


@pytest.mark.parametrize("dtype", [np.float64, np.int32, np.bool_])
def test_other_types_are_refused_with_advice(dtype: Any) -> None:
    with pytest.raises(InvalidArgument, match=r"expected: \(tensor\(float\)\) for input 'x'.*astype"):
        prepare(np.zeros(2, dtype), spec())


def test_types_that_onnx_lacks_are_refused() -> None:
    with pytest.raises(RuntimeError, match="can't be converted to MLDataType"):
        prepare(np.zeros(2, "M8[s]"), spec())
    with pytest.raises(InvalidArgument, match=r"Actual: \(map\)"):
        prepare({}, spec())


def test_shapes() -> None:
    zeros = np.zeros((2, 3), np.float32)
    assert prepare(zeros, spec(shape=("N", 3))) is zeros
    assert prepare(zeros[:1, :1], spec(shape=())).shape == ()
    with pytest.raises(InvalidArgument, match="Got: 2 Expected: 1"):
        prepare(zeros, spec(shape=(None,)))
    with pytest.raises(InvalidArgument, match="index: 1 Got: 3 Expected: 4"):
        prepare(zeros, spec(shape=("N", 4)))


def test_texts_become_str() -> None:
    texts = spec("tensor(string)")
    plain = np.array(["a", "b"], object)
    assert prepare(plain, texts) is plain
    for fed in (np.array(["a", "b"]), np.array([b"a", b"b"]), np.array(["a", b"b"], object), ["a", "b"]):
        assert prepare(fed, texts).tolist() == ["a", "b"]
    with pytest.raises(InvalidArgument, match="not UTF-8"):
        prepare(np.array([b"\xff"], object), texts)
    with pytest.raises(InvalidArgument, match="Unexpected input data type"):
        prepare(np.zeros(2), texts)


class _Pretending(type):
    """Classes that say they are str."""

    def __hash__(cls) -> int:
        return hash(str)

    def __eq__(cls, other: object) -> bool:
        return True


class _Text(metaclass=_Pretending):
    pass


def test_what_says_it_is_a_str_is_none() -> None:
    assert holds_texts(np.array(["a", "b"], object))
    assert not holds_texts(np.array(["a", _Text()], object))
    assert holds_texts(np.array([["a"]], object)) and not holds_texts(np.array([_Text()], object))


def test_sequences() -> None:
    rows = spec("seq(tensor(float))")
    one = np.zeros(2, np.float32)
    got = prepare([one, OrtValue(one), one.astype(">f4")], rows)
    assert [row.dtype for row in got] == [np.float32] * 3
    assert prepare((), rows) == []
    with pytest.raises(InvalidArgument, match="received a tensor"):
        prepare(one, rows)
    with pytest.raises(RuntimeError, match="different data type: item 1"):
        prepare([one, one.astype(float)], rows)
    with pytest.raises(RuntimeError, match="not a tensor: item 0"):
        prepare([1.0], rows)
    assert prepare([{1: 2.0}], spec("seq(map(int64,tensor(float)))")) == [{1: 2.0}]


def test_nothing_is_fed_only_to_optionals() -> None:
    assert prepare(None, spec("optional(tensor(float))")) is None
    with pytest.raises(Fail, match="Missing Input: x"):
        prepare(None, spec())


def test_missing_inputs_are_named() -> None:
    specs = [spec(shape=("N", 3)), spec("optional(tensor(float))")]
    assert missing_inputs(specs, ["x"]) is None
    error = missing_inputs(specs, ["other"])
    assert isinstance(error, ValueError)
    assert "x: tensor(float) of shape ['N', 3]" in str(error)
    assert "other" in str(error)


@pytest.mark.parametrize(
    ("type_", "fed"),
    [
        ("tensor(float)", np.broadcast_to(np.float32(1), (2**30, 2**30))),
        ("tensor(float)", np.broadcast_to(np.float32(1), (2**18, 2**18))),
        ("tensor(string)", np.broadcast_to(np.array("a", object), (2**50,))),
        ("tensor(string)", np.broadcast_to(np.array("a"), (2**40,))),
        ("seq(tensor(float))", [np.broadcast_to(np.float32(1), (2**60,))]),
    ],
    ids=["all addresses", "a view", "objects", "texts", "in a sequence"],
)
def test_views_of_more_than_all_memory_are_refused(type_: str, fed: Any) -> None:
    """Nothing is promised that cannot be kept: the system would end the process as it is written."""
    with pytest.raises(RuntimeException, match="Input 'x': there is not enough memory to copy it"):
        prepare(fed, spec(type_))
