"""Functions of TensorFlow: signatures, the order of answers, and an operator that ONNX does not have."""

from __future__ import annotations

import math
import traceback
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx
import pytest

from sardonyx import InferenceSession
from sardonyx.convert.framework import ConvertError, Request
from sardonyx.convert.frameworks.networks import tensorflow
from sardonyx.convert.frameworks.networks.tensors import Tensor
from tests.unit.convert.frameworks.standins import Calls, install, some_model


def spec(*shape: int | None, dtype: Any = "float32", name: str = "x") -> Any:
    return SimpleNamespace(shape=shape, dtype=dtype, name=name)


def answer(array: Any) -> Any:
    return SimpleNamespace(numpy=lambda: np.asarray(array))


class Signature:
    """A serving function of x and y."""

    structured_input_signature = ((), {"x": spec(None, 2), "y": spec(None, 2)})
    structured_outputs = ("b", "a")

    def __call__(self, x: Any, y: Any) -> Any:
        return {"b": answer(x), "a": answer(y)}


@pytest.fixture
def exporter(monkeypatch: pytest.MonkeyPatch) -> Calls:
    def load(source: str) -> Any:
        if source.endswith("broken"):
            raise OSError("no such variable\nmore")
        signatures = {} if source.endswith("none") else {"serving_default": Signature()}
        return SimpleNamespace(signatures=signatures)

    def keras(source: str, compile: bool) -> Any:
        if not source.endswith(".h5"):
            raise OSError("no HDF5\nmore")
        return SimpleNamespace(inputs=[spec(None, 3, name="in:0")], output_names=["o"])

    install(
        monkeypatch,
        "tensorflow",
        __version__="2.15",
        saved_model=SimpleNamespace(load=load),
        keras=SimpleNamespace(models=SimpleNamespace(load_model=keras)),
        TensorSpec=lambda shape, dtype, name: (name, shape, dtype),
        function=lambda call, autograph: call,
        constant=lambda array: array,
    )
    calls = Calls(lambda function, output_path, **_: output_path)
    install(monkeypatch, "tf2onnx", convert=SimpleNamespace(from_function=calls))
    return calls


def test_saved_models(exporter: Calls, tmp_path: Path) -> None:
    for name in ("good", "none", "broken"):
        (tmp_path / name).mkdir()
    function = tensorflow.load(str(tmp_path / "good"), Request())
    assert function.inputs == [Tensor("x", (None, 2)), Tensor("y", (None, 2))]
    assert function.outputs == ("a", "b")
    assert [part.numpy().tolist() for part in function.call([1, 2])] == [2, 1]
    for name, part, told in (
        ("good", "train", "has no signature 'train'; it has serving_default"),
        ("none", "", r"has no signature 'serving_default'; it has none; save it with"),
        ("broken", "", "cannot be read as a SavedModel: no such variable; is the folder whole"),
    ):
        with pytest.raises(ConvertError, match=told):
            tensorflow.load(str(tmp_path / name), Request(options={"part": part}))


def test_files_of_keras_2(exporter: Calls) -> None:
    assert tensorflow.load("m.h5", Request()).inputs == [Tensor("in", (None, 3))]
    with pytest.raises(ConvertError, match=r"m\.bin cannot be read by TensorFlow 2\.15: no HDF5$"):
        tensorflow.load("m.bin", Request())


@pytest.mark.parametrize(("made", "expected"), [({"b": 1, "a": 2}, [2, 1]), ((1, 2), [1, 2]), (3, [3])])
def test_answers_of_keras_are_a_list(made: Any, expected: list[int]) -> None:
    class Model:
        inputs = (spec(2), spec(2))
        output_names = ("o", "o")

        def __call__(self, parts: Any, training: bool) -> Any:
            assert parts == [0, 0] and not training
            return made

    function = tensorflow.of_keras(Model())
    assert (function.call([0, 0]), function.outputs) == (expected, ("o",))


def test_inputs_need_a_rank() -> None:
    assert tensorflow._tensor("x", spec(None, dtype=SimpleNamespace(name="int64"))) == Tensor(
        "x", (None,), "int64"
    )
    for shape in (None, SimpleNamespace(rank=None)):
        with pytest.raises(
            ConvertError, match="the input x has no known rank; give its shape to tf.function"
        ):
            tensorflow._tensor("x", SimpleNamespace(shape=shape, dtype="float32"))


def test_it_is_exported_with_its_answers(exporter: Calls, tmp_path: Path) -> None:
    function = tensorflow.Function(lambda parts: [answer(-parts[0])], [Tensor("x", (None, 2))], ("y",))
    made = tensorflow.export(function, Request(opset=21), tmp_path / "m.onnx")
    assert (exporter[0]["opset"], exporter[0]["input_signature"]) == (18, [("x", (None, 2), "float32")])
    assert (made.outputs, made.axes, made.drawn) == (("y",), {"x": {0: "batch"}}, True)
    np.testing.assert_array_equal(made.cases[0].answers[0], -made.cases[0].feeds["x"])
    exporter.errors.append(ValueError("no\n  op"))
    with pytest.raises(ConvertError, match=r"tf2onnx cannot convert it \(ValueError: no op\)"):
        tensorflow.export(function, Request(), tmp_path / "m.onnx")
    assert tensorflow.refusal(KeyError()) == "tf2onnx cannot convert it (KeyError: KeyError)"


def test_what_a_function_returned(exporter: Calls, tmp_path: Path) -> None:
    class Model:
        inputs = (spec(None, 3, name="in:0"),)

        def __call__(self, x: Any, training: bool) -> Any:
            return answer(-x)

    made = tensorflow.export(Model(), Request(), tmp_path / "m.onnx")
    np.testing.assert_array_equal(made.cases[0].answers[0], -made.cases[0].feeds["in"])
    with pytest.raises(
        ConvertError, match=r"a dict is not a built Keras model; save it with tf\.saved_model"
    ):
        tensorflow.export({}, Request(), tmp_path / "m.onnx")


def test_the_complement_of_the_error_function(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    model = onnx.parser.parse_model(
        '<ir_version: 8, opset_import: ["" : 17]> g (float[3] x) => (float[3] y) '
        "{ a = Erfc(x)  b = Neg(a)  y = Erfc(b) }"
    )
    path.write_bytes(model.SerializeToString())
    tensorflow.without_erfc(path)
    assert [node.op_type for node in onnx.load(path).graph.node] == [
        "Erf",
        "CastLike",
        "Sub",
        "Neg",
        "Erf",
        "CastLike",
        "Sub",
    ]
    x = np.array([-1, 0, 2], np.float32)
    (found,) = InferenceSession(str(path)).run(None, {"x": x})
    np.testing.assert_allclose(found, [math.erfc(-math.erfc(value)) for value in x], rtol=1e-5)
    before = path.stat().st_mtime_ns
    tensorflow.without_erfc(path)
    assert path.stat().st_mtime_ns == before


def test_an_operator_without_onnx_form_is_named_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    model = onnx.parser.parse_model(
        '<ir_version: 8, opset_import: ["" : 17]> g (float[3] x) => (float[3] y) { y = StringLower(x) }'
    )
    model.graph.node[0].name = "net/lower"
    path.write_bytes(model.SerializeToString())
    frames = [traceback.FrameSummary("/home/me/net.py", 7, "call", line="y = lower(x)")]
    frames.append(traceback.FrameSummary("/lib/site-packages/keras/x.py", 1, "inner", line="op(x)"))
    row = SimpleNamespace(type="StringLower", traceback=frames)
    graph = SimpleNamespace(get_operations=lambda: [SimpleNamespace(type="Relu"), row])
    told = r"operator StringLower \(node net/lower\) has no ONNX form"
    with pytest.raises(ConvertError, match=told + r", in call \(/home/me/net\.py:7: y = lower\(x\)\); rep"):
        tensorflow.refuse_left_over(path, lambda: graph)
    with pytest.raises(ConvertError, match=told + "; replace it"):
        tensorflow.refuse_left_over(path, lambda: None)
    some_model(path)
    tensorflow.refuse_left_over(path, lambda: graph)
