"""What a caller may feed and what reaches the program."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from sardonyx.base.signature import TensorInfo
from sardonyx.capi.onnxruntime_pybind11_state import Fail, InvalidArgument
from sardonyx.errors import RunError
from sardonyx.ort.calls import Caller
from sardonyx.ort.feeds import FeedSpec, prepare


class Recorder:
    """A program that returns its feeds and remembers them."""

    def __init__(self, *inputs: TensorInfo, overridable: Sequence[TensorInfo] = (), outputs: int = 1) -> None:
        self.inputs = inputs
        self.initializer_inputs = tuple(overridable)
        self.outputs = tuple(TensorInfo(f"y{n}", "tensor(float)", None) for n in range(outputs))
        self.feeds: list[Any] = []
        self.wanted: tuple[int, ...] = ()

    def run(self, feeds: Sequence[Any], wanted: tuple[int, ...]) -> list[Any]:
        self.feeds, self.wanted = list(feeds), wanted
        return [np.full(2, n) for n in wanted]


def spec(type_: str, shape: tuple[int | str | None, ...] | None = None) -> FeedSpec:
    return FeedSpec.of(TensorInfo("x", type_, shape))


FLOAT = TensorInfo("x", "tensor(float)", ("N", 3))


@pytest.mark.parametrize(
    ("type_", "kind", "element", "optional"),
    [
        ("tensor(float)", "tensor", "f32", False),
        ("tensor(bfloat16)", "tensor", "bf16", False),
        ("seq(tensor(int64))", "seq", "i64", False),
        ("optional(tensor(double))", "tensor", "f64", True),
        ("optional(seq(tensor(string)))", "seq", "string", True),
        ("map(int64,tensor(float))", "map", None, False),
    ],
)
def test_types_are_read(type_: str, kind: str, element: str | None, optional: bool) -> None:
    read = spec(type_)
    assert (read.kind, read.optional) == (kind, optional)
    if element is not None:
        assert read.element is not None
        assert read.element.name == element


@pytest.mark.parametrize(
    "value",
    [
        np.arange(6, dtype=np.float32).reshape(2, 3),
        np.arange(6, dtype=np.float32).reshape(3, 2).T.copy().T.reshape(2, 3, order="A"),
        np.asfortranarray(np.arange(6, dtype=np.float32).reshape(2, 3)),
        np.arange(12, dtype=np.float32).reshape(2, 6)[:, ::2],
        np.arange(6, dtype=np.float32).reshape(2, 3)[::-1],
        np.arange(6, dtype=">f4").reshape(2, 3),
        np.ma.array(np.ones((2, 3), np.float32), mask=True),
        [[1, 2, 3], [4, 5, 6]],
        ((1, 2, 3), (4, 5, 6)),
        pytest.param(memoryview(np.ones((2, 3), np.float32)), id="memoryview"),
        np.frombuffer(b"\0" + np.arange(6, dtype=np.float32).tobytes(), np.uint8)[1:]
        .view(np.float32)
        .reshape(2, 3),
    ],
    ids=lambda value: type(value).__name__,
)
def test_every_layout_becomes_plain(value: Any) -> None:
    plain = prepare(value, spec("tensor(float)", ("N", 3)))
    assert type(plain) is np.ndarray
    assert plain.dtype is np.dtype(np.float32)
    assert plain.flags.c_contiguous
    assert plain.flags.aligned
    np.testing.assert_array_equal(plain, np.asarray(value, np.float32))


class OnlyArray:
    def __init__(self, array: Any) -> None:
        self._array = array

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        return self._array


class OnlyDlpack:
    def __init__(self, array: Any) -> None:
        self._array = array

    def __dlpack__(self, **arguments: Any) -> Any:
        return self._array.__dlpack__(**arguments)

    def __dlpack_device__(self) -> Any:
        return self._array.__dlpack_device__()


@pytest.mark.parametrize("kind", [OnlyArray, OnlyDlpack])
def test_values_of_other_libraries_are_taken(kind: Any) -> None:
    array = np.arange(6, dtype=np.float32).reshape(2, 3)
    np.testing.assert_array_equal(prepare(kind(array), spec("tensor(float)", ("N", 3))), array)
    with pytest.raises(InvalidArgument, match="Unexpected input data type"):
        prepare(kind(array.astype(np.float64)), spec("tensor(float)", ("N", 3)))


@pytest.mark.parametrize("value", [3, 3.0, True, np.int32(3), np.float32(3)])
def test_scalars_do_not_pass_as_another_rank(value: Any) -> None:
    with pytest.raises(InvalidArgument, match="Invalid rank|Unexpected input data type"):
        prepare(value, spec("tensor(float)", ("N", 3)))


def test_good_arrays_are_not_copied() -> None:
    value = np.ones((2, 3), np.float32)
    assert prepare(value, spec("tensor(float)", (2, 3))) is value
    value.flags.writeable = False
    assert prepare(value, spec("tensor(float)", (2, 3))) is value


@pytest.mark.parametrize("value", [2.5, np.float32(2.5), np.array([[2.5]], np.float32), [2.5]])
def test_a_scalar_takes_any_one_element(value: Any) -> None:
    plain = prepare(value, spec("tensor(float)", ()))
    assert plain.shape == ()
    assert plain == 2.5


@pytest.mark.parametrize(
    ("type_", "value"),
    [
        ("tensor(bfloat16)", np.ones(2, ml_dtypes.bfloat16)),
        ("tensor(float8e4m3fn)", np.ones(2, ml_dtypes.float8_e4m3fn)),
        ("tensor(int4)", np.ones(2, ml_dtypes.int4)),
        ("tensor(bfloat16)", [1.0, 2.0]),
    ],
)
def test_narrow_types_are_taken(type_: str, value: Any) -> None:
    np.testing.assert_array_equal(
        prepare(value, spec(type_)).astype(np.float32), np.asarray(value, np.float32)
    )


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (["a", "b"], ["a", "b"]),
        (np.array(["ä", "bc"]), ["ä", "bc"]),
        (np.array([b"a", "ä".encode()]), ["a", "ä"]),
        (np.array(["a", 1, b"c"], object), ["a", "1", "c"]),
        ([], []),
    ],
)
def test_texts_become_str(value: Any, expected: list[str]) -> None:
    texts = prepare(value, spec("tensor(string)", ("N",)))
    assert texts.dtype == object
    assert texts.tolist() == expected
    assert all(type(text) is str for text in texts)


def test_sequences_are_lists_of_plain_arrays() -> None:
    wanted = spec("seq(tensor(float))")
    rows = prepare((np.ones((2, 2), np.float32).T, np.ones(3, ">f4")), wanted)
    assert [row.shape for row in rows] == [(2, 2), (3,)]
    assert all(row.dtype is np.dtype(np.float32) and row.flags.c_contiguous for row in rows)
    with pytest.raises(InvalidArgument, match="input with name: 'x' expected to be of type"):
        prepare(np.ones(2, np.float32), wanted)
    with pytest.raises(RuntimeError, match="item 1 of input 'x' is tensor"):
        prepare([np.ones(2, np.float32), np.ones(2)], wanted)
    with pytest.raises(RuntimeError, match="Input is not a tensor: item 0"):
        prepare([1.0], wanted)


def test_optional_inputs_may_be_none_or_absent() -> None:
    assert prepare(None, spec("optional(tensor(float))", (2,))) is None
    program = Recorder(TensorInfo("x", "optional(tensor(float))", (2,)))
    call = Caller(program).function()
    call(None, {})
    assert program.feeds == [None]
    call(None, {"x": np.ones(2, np.float32)})
    assert program.feeds[0].tolist() == [1, 1]


def test_errors_name_the_input_and_what_is_expected() -> None:
    wanted = spec("tensor(float)", ("N", 3))
    with pytest.raises(
        InvalidArgument, match=r"for input 'x'. Convert it, for example with .astype\('float32'\)"
    ):
        prepare(np.ones((2, 3)), wanted)
    with pytest.raises(InvalidArgument, match=r"given shape \[3\], the model declares \['N', 3\]"):
        prepare(np.ones(3, np.float32), wanted)
    with pytest.raises(
        RuntimeError, match=r"input 'x'; the model expects tensor\(float\) of shape \['N', 3\]"
    ):
        prepare(object(), wanted)
    with pytest.raises(Fail, match="Missing Input: x is None"):
        prepare(None, wanted)


def test_the_short_path_passes_the_array_itself() -> None:
    program = Recorder(FLOAT, outputs=2)
    call = Caller(program).function()
    value = np.ones((2, 3), np.float32)
    for _ in range(2):
        call(None, {"x": value})
        assert program.feeds[0] is value
        assert program.wanted == (0, 1)
    call(["y1"], {"x": value})
    assert program.wanted == (1,)
    call(["y1", "y0"], {"x": value})
    call(["y1", "y0"], {"x": value})
    assert program.wanted == (1, 0)


@pytest.mark.parametrize("inputs", [1, 2, 3])
def test_the_short_path_refuses_what_the_long_one_refuses(inputs: int) -> None:
    names = [f"x{n}" for n in range(inputs)]
    program = Recorder(*(TensorInfo(name, "tensor(float)", ("N", 3)) for name in names))
    call = Caller(program).function()
    good = {name: np.ones((2, 3), np.float32) for name in names}
    call(None, good)
    program.feeds = []
    last = names[-1]
    for bad in (
        np.ones((2, 4), np.float32),
        np.ones((2, 3)),
        np.ones(3, np.float32),
        np.ones((2, 3), np.complex64),
        "text",
    ):
        with pytest.raises((InvalidArgument, RuntimeError)):
            call(None, {**good, last: bad})
    with pytest.raises(ValueError, match="Required inputs"):
        call(None, {name: good[name] for name in names[:-1]} | {"other": good[last]})
    with pytest.raises(InvalidArgument, match="Invalid output name:nope"):
        call(["nope"], good)
    assert program.feeds == []
    fortran = np.asfortranarray(np.arange(6, dtype=np.float32).reshape(2, 3))
    call(None, {**good, last: fortran})
    assert program.feeds[-1].flags.c_contiguous
    np.testing.assert_array_equal(program.feeds[-1], fortran)


def test_texts_of_a_known_shape_are_looked_at_again() -> None:
    program = Recorder(TensorInfo("s", "tensor(string)", ("N",)), FLOAT)
    call = Caller(program).function()
    numbers = np.ones((2, 3), np.float32)
    texts = np.array(["a", "b"], object)
    for _ in range(2):
        call(None, {"s": texts, "x": numbers})
        assert program.feeds[0] is texts
    for other in (["a", 5], ["a", b"5"], np.array(["a", "5"])):
        call(None, {"s": np.array(other, None if isinstance(other, np.ndarray) else object), "x": numbers})
        assert [type(text) for text in program.feeds[0]] == [str, str]
        assert program.feeds[0].tolist() == ["a", "5"]


def test_an_output_named_twice_is_computed_once() -> None:
    program = Recorder(FLOAT, outputs=2)
    results = Caller(program).function()(["y1", "y0", "y1"], {"x": np.ones((2, 3), np.float32)})
    assert program.wanted == (1, 0)
    assert [int(result[0]) for result in results] == [1, 0, 1]
    assert not np.shares_memory(results[0], results[2])


def test_overridden_initializers_go_to_a_program_of_their_own() -> None:
    weights = (TensorInfo("v", "tensor(float)", (1,)), TensorInfo("w", "tensor(float)", (1,)))
    plain = Recorder(FLOAT, overridable=weights)
    others: dict[tuple[str, ...], Recorder] = {}
    call = Caller(plain, with_fed=lambda names: others.setdefault(names, Recorder(FLOAT))).function()
    x, w = np.ones((2, 3), np.float32), np.ones(1, np.float32)
    call(None, {"x": x})
    call(None, {"x": x, "w": w})
    assert list(others) == [("w",)]
    assert others["w",].feeds[1] is w
    with pytest.raises(InvalidArgument, match="Got invalid dimensions for input: v"):
        call(None, {"x": x, "v": np.ones(2, np.float32)})


def test_errors_of_kernels_are_told_and_translated() -> None:
    class Failing(Recorder):
        def run(self, feeds: Sequence[Any], wanted: tuple[int, ...]) -> list[Any]:
            raise RunError("pick (Gather): index 7 is out of range", kind="bounds")

    told: list[Exception] = []
    call = Caller(Failing(FLOAT), logged=told.append).function()
    for _ in range(2):
        with pytest.raises(
            InvalidArgument, match="Non-zero status code returned while running.*index 7"
        ) as caught:
            call(None, {"x": np.ones((2, 3), np.float32)})
        assert isinstance(caught.value.__cause__, RunError)
    assert len(told) == 2


def test_bytes_that_are_no_text() -> None:
    wanted = spec("tensor(string)", (2,))
    assert prepare(np.array([b"a", b"\xc3\xa9"], object), wanted).tolist() == ["a", "é"]
    with pytest.raises(InvalidArgument, match="not UTF-8"):
        prepare(np.array([b"a", b"\xff"], object), wanted)
