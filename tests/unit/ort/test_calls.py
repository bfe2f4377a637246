"""The short path of a call: which arrays take it, and that the thorough one gives the same."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
import pytest

import sardonyx
from sardonyx.base.signature import TensorInfo
from sardonyx.ort.calls import Caller
from sardonyx.ort.exceptions import InvalidArgument


class Doubling:
    """A program that doubles each of its inputs."""

    initializer_inputs: tuple[TensorInfo, ...] = ()

    def __init__(self, count: int) -> None:
        names = [f"x{number}" for number in range(count)]
        self.inputs = tuple(TensorInfo(name, "tensor(float)", ("N",)) for name in names)
        self.outputs = tuple(TensorInfo(f"y{name}", "tensor(float)", ("N",)) for name in names)

    def run(self, feeds: Sequence[Any], wanted: tuple[int, ...]) -> list[Any]:
        return [feeds[number] * 2 for number in wanted]


class Counted(Caller):
    """Counts the calls that went the thorough way."""

    thorough = 0

    def call_checked(self, *arguments: Any) -> list[Any]:
        self.thorough += 1
        return super().call_checked(*arguments)


def read_only(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return np.frombuffer(array.tobytes(), array.dtype)


def misaligned(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return np.frombuffer(b"x" + array.tobytes(), array.dtype, offset=1)


X = np.arange(4, dtype=np.float32)


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize(
    ("made", "thorough"),
    [
        (np.copy, 1),
        (read_only, 1),
        (misaligned, 4),
        (lambda array: np.repeat(array, 2)[::2], 4),
        (lambda array: array.tolist(), 4),
    ],
)
def test_arrays_as_they_lie_take_the_short_path_once_their_shape_is_known(
    count: int, made: Any, thorough: int
) -> None:
    caller = Counted(Doubling(count))
    call = caller.function()
    for _ in range(4):
        results = call(None, {f"x{number}": made(X) for number in range(count)})
        assert [result.tolist() for result in results] == [(X * 2).tolist()] * count
    assert caller.thorough == thorough


def test_what_is_wanted_is_given_in_its_order() -> None:
    call = Caller(Doubling(2)).function()
    feeds = {"x0": X, "x1": X + 1}
    for names, wanted in (
        (["yx1", "yx0"], [X + 1, X]),
        (["yx1"], [X + 1]),
        (["yx0", "yx0"], [X, X]),
        (None, [X, X + 1]),
    ):
        for _ in range(2):
            results = call(names, feeds)
            assert [result.tolist() for result in results] == [(array * 2).tolist() for array in wanted]


class Changing:
    """Turns an array of floats into one of bytes when it is asked for anything."""

    def __init__(self, array: np.ndarray[Any, Any]) -> None:
        self.array = array

    def change(self) -> None:
        self.array.__setstate__((1, (24,), np.dtype(np.int8), False, bytes(24)))

    def key(self, name: str) -> str:
        """A name that does it when it is compared."""
        return _Key(name, self)

    def __array__(self, *_: Any, **__: Any) -> np.ndarray[Any, Any]:
        self.change()
        return X


class _Key(str):
    __slots__ = ("_changing",)
    _changing: Changing

    def __new__(cls, name: str, changing: Changing) -> _Key:
        made = str.__new__(cls, name)
        made._changing = changing
        return made

    __hash__ = str.__hash__

    def __eq__(self, other: object) -> bool:
        self._changing.change()
        return str.__eq__(self, other)


@pytest.mark.parametrize("known", [False, True])
@pytest.mark.parametrize("text", ["", ", string[K] s"], ids=["numbers", "with texts"])
@pytest.mark.parametrize(
    "fed",
    [
        lambda array, it: (["y"], {"x": array, it.key("z"): X}),
        lambda array, it: ([it.key("y")], {"x": array, "z": X}),
        lambda array, it: (["y"], {"x": array, "z": X, it.key("w"): X}),
        lambda array, it: (["y"], {"x": array, "z": it}),
        lambda array, it: (["y"], {"x": array, "z": X, "w": it}),
    ],
    ids=["a later input", "an output", "a weight", "another value", "another value of a weight"],
)
def test_an_array_is_judged_when_nothing_can_change_it_any_more(known: bool, text: str, fed: Any) -> None:
    model = onnx.parser.parse_model(
        f'<ir_version: 10, opset_import: ["" : 21]> g (float[N] x, float[K] z, float[K] w{text}) '
        "=> (float[N] y, float[K] a) <float[4] w = {1, 2, 3, 4}> { y = Neg(x) a = Add(z, w) }"
    )
    session = sardonyx.InferenceSession(model.SerializeToString())
    texts = {"s": np.array(["a"] * 4, object)} if text else {}
    for _ in range(20 if known else 0):
        session.run(["y"], {"x": np.zeros(24, np.float32), "z": X, **texts})
        session.run(["y"], {"x": np.zeros(6, np.float32), "z": X, **texts})
    array = np.zeros(6, np.float32)
    names, feeds = fed(array, Changing(array))
    with pytest.raises(InvalidArgument, match=r"tensor\(int8\)"):
        session.run(names, {**feeds, **texts})


class _Shaped(np.ndarray):
    """An array that does it when its shape is asked for."""

    changing: Changing

    @property
    def shape(self) -> Any:
        self.changing.change()
        return super().shape


def test_what_is_fed_is_asked_nothing_once_it_is_judged() -> None:
    model = onnx.parser.parse_model(
        '<ir_version: 10, opset_import: ["" : 21]> g (float[N] x, float[K] z) => (float[N] y, float[K] a) '
        "{ y = Neg(x) a = Neg(z) }"
    )
    array, shaped = np.zeros(6, np.float32), X.view(_Shaped)
    shaped.changing = Changing(array)
    y, _ = sardonyx.InferenceSession(model.SerializeToString()).run(None, {"x": array, "z": shaped})
    assert y.shape == (6,)
