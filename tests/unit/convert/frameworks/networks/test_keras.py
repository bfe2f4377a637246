"""Models of Keras 3: what they answer, how outputs are called, and what is said of files that hold code."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from sardonyx.convert.framework import ConvertError, Request
from sardonyx.convert.frameworks.networks import keras
from tests.unit.convert.frameworks.standins import install, some_model


def tensor(operation: str) -> Any:
    return SimpleNamespace(_keras_history=SimpleNamespace(operation=SimpleNamespace(name=operation)))


class Built:
    """A model of an input [None, 2] and of another if there are two."""

    error: Exception | None = None
    asked: dict[str, Any]

    def __init__(self, *names: str, outputs: tuple[str, ...] = ("dense",), answer: Any = None) -> None:
        self.inputs = [SimpleNamespace(name=name, shape=(None, 2), dtype="float32") for name in names]
        self.outputs = [tensor(name) for name in outputs]
        self.output = answer("ab") if answer else self.outputs[0]
        self.answer = answer or (lambda given: given)

    def __call__(self, given: Any, training: bool) -> Any:
        assert not training
        return self.answer(given)

    def export(self, path: str, **options: Any) -> None:
        if self.error:
            raise self.error
        self.asked = options
        some_model(path)


@pytest.fixture(autouse=True)
def framework(monkeypatch: pytest.MonkeyPatch) -> Any:
    def load_model(source: str, compile: bool, safe_mode: bool) -> str:
        assert safe_mode and not compile
        if source != "good":
            raise ValueError(source)
        return "model"

    ops = SimpleNamespace(convert_to_tensor=lambda part: part, convert_to_numpy=lambda part: part)
    return install(
        monkeypatch,
        "keras",
        ops=ops,
        saving=SimpleNamespace(load_model=load_model),
        __version__="3.15",
        InputSpec=lambda shape, dtype, name: (shape, dtype, name),
    )


def test_files() -> None:
    assert keras.load("good", Request()) == "model"
    with pytest.raises(ConvertError, match=r"cannot be read by Keras 3\.15: bad file$"):
        keras.load("bad file\nmore", Request())
    for said in ("a Lambda layer", "deserialization is Unsafe"):
        with pytest.raises(ConvertError, match="Lambda layer, whose code Keras does not run"):
            keras.load(said, Request())


def test_a_model_is_exported_with_its_answers(tmp_path: Path) -> None:
    model = Built("x")
    made = keras.export(model, Request(opset=21), tmp_path / "m.onnx")
    assert model.asked == {"format": "onnx", "opset_version": 18, "verbose": False}
    assert (made.outputs, made.axes, made.drawn, made.batch) == (("dense",), {"x": {0: "batch"}}, True, False)
    assert [len(case.answers[0]) for case in made.cases] == [2, 1, 3]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (lambda given: given[1], [[2, 2]]),
        (lambda given: (given[1], given[0]), [[2, 2], [1, 1]]),
        (lambda given: {"b": given[1], "a": given[0]}, [[1, 1], [2, 2]]),
    ],
)
def test_answers_in_order(answer: Any, expected: Any, tmp_path: Path) -> None:
    sample = {name: np.full((1, 2), value, np.float64) for name, value in (("x", 1), ("y", 2))}
    model = Built("x", "y", outputs=("twice", "twice"), answer=answer)
    made = keras.export(model, Request(sample), tmp_path / "m.onnx")
    assert [part[0].tolist() for part in made.cases[0].answers] == expected
    assert (
        made.outputs == (("a", "b") if isinstance(model.output, dict) else ("output_0", "output_1"))
        and not made.drawn
        and made.cases[0].feeds["x"].dtype == np.float32
    )


class Own:
    """A class of the user's own, called with tensors and not made of layers."""

    input_dtype = "float32"
    inputs = None

    def __init__(self, **shapes: Any) -> None:
        self._build_shapes_dict = shapes

    def call(self, ids: Any, weights: Any = None, training: bool = False) -> Any:
        assert not training
        return ids if weights is None else (ids, weights)

    def __call__(self, *parts: Any, **named: Any) -> Any:
        return self.call(*parts, **named)

    def export(self, path: str, **options: Any) -> None:
        self.asked = options
        some_model(path)


def test_a_class_of_one_s_own_is_exported_as_it_was_called(tmp_path: Path) -> None:
    model = Own(ids_shape=(4, 2), weights_shape=(4, 3))
    made = keras.export(model, Request(options={"inputs": ["ids=1,2:int32"]}), tmp_path / "m.onnx")
    assert model.asked["input_signature"] == [((None, 2), "int32", "ids"), ((None, 3), "float32", "weights")]
    assert [part.shape for part in made.cases[0].answers] == [(2, 2), (2, 3)]
    assert made.outputs == ("output_0", "output_1")
    one = Own(input_shape=(4, 2))
    keras.export(one, Request({"ids": np.zeros((2, 2), np.int64)}), tmp_path / "m.onnx")
    assert one.asked["input_signature"] == [((None, 2), "int64", "ids")]
    named = Own(input_shape=(4, 2))
    named.call = lambda ids: {"b": ids, "a": -ids}  # type: ignore[method-assign]
    made = keras.export(named, Request(), tmp_path / "m.onnx")
    assert made.outputs == ("a", "b") and (made.cases[0].answers[0] == -made.cases[0].feeds["ids"]).all()
    with pytest.raises(ConvertError, match="was not built; call it once on a batch of tensors first"):
        keras.export(Own(), Request(), tmp_path / "m.onnx")


def test_a_file_that_needs_a_class_names_it() -> None:
    with pytest.raises(ConvertError, match="holds a class of your own, Own, whose code is not in the file"):
        keras.load("could not be deserialized\nCould not locate class 'Own'. Make sure", Request())


def test_refusals(tmp_path: Path) -> None:
    with pytest.raises(ConvertError, match="was not built; call it once on a batch"):
        keras.export(Built(), Request(), tmp_path / "m.onnx")
    model = Built("x")
    model.error = RuntimeError("no\n  such layer")
    with pytest.raises(ConvertError, match=r"Keras cannot export this model \(RuntimeError: no such layer\)"):
        keras.export(model, Request(), tmp_path / "m.onnx")
