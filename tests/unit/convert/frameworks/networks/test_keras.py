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
        monkeypatch, "keras", ops=ops, saving=SimpleNamespace(load_model=load_model), __version__="3.15"
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
    assert made.outputs == () and not made.drawn and made.cases[0].feeds["x"].dtype == np.float32


def test_refusals(tmp_path: Path) -> None:
    with pytest.raises(ConvertError, match="was not built; call it once on a batch"):
        keras.export(Built(), Request(), tmp_path / "m.onnx")
    model = Built("x")
    model.error = RuntimeError("no\n  such layer")
    with pytest.raises(ConvertError, match=r"Keras cannot export this model \(RuntimeError: no such layer\)"):
        keras.export(model, Request(), tmp_path / "m.onnx")
