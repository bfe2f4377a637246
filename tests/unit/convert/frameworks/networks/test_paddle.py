"""PaddlePaddle's programs: which file is one, its inputs, and the ends that paddle2onnx may come to."""

from __future__ import annotations

import contextlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from sardonyx.convert.framework import ConvertError, Request
from sardonyx.convert.frameworks.networks import paddle
from sardonyx.convert.frameworks.networks.tensors import Tensor
from tests.unit.convert.frameworks.standins import Calls, install


class Layer:
    """A loaded program: x to x and -x."""

    def eval(self) -> None:
        pass

    def _input_spec(self) -> list[Any]:
        return [SimpleNamespace(name=None, shape=[-1, 2], dtype="paddle.float32")]

    def __call__(self, part: Any) -> Any:
        return [SimpleNamespace(numpy=lambda: part), SimpleNamespace(numpy=lambda: -part)]


@pytest.fixture
def exporter(monkeypatch: pytest.MonkeyPatch) -> Calls:
    def load(prefix: str) -> Any:
        if prefix.endswith("broken"):
            raise ValueError("trace\nthe last line")
        return Layer()

    install(
        monkeypatch,
        "paddle",
        jit=SimpleNamespace(load=load),
        no_grad=contextlib.nullcontext,
        to_tensor=lambda part: part,
    )
    calls = Calls(lambda program, weights, path, **_: path)
    install(monkeypatch, "paddle2onnx", export=calls)
    known = ["elementwise_add", "elementwise_sub", "batch_norm"]
    listed = {"get_all_supported_operators_pir": lambda: known}
    install(monkeypatch, "paddle2onnx.paddle2onnx_cpp2py_export", **listed)
    return calls


def program(folder: Path, name: str) -> Path:
    (folder / f"{name}.json").touch()
    (folder / f"{name}.pdiparams").touch()
    return folder / f"{name}.json"


def test_a_program_has_its_weights_beside_it(exporter: Calls, tmp_path: Path) -> None:
    (tmp_path / "a.json").touch()
    with pytest.raises(ConvertError, match=r"has no program \(.json or .pdmodel\) with its \.pdiparams"):
        paddle.load(str(tmp_path), Request())
    with pytest.raises(ConvertError, match=r"b\.pdiparams has no program"):
        paddle.load(str(program(tmp_path, "b").with_suffix(".pdiparams")), Request())
    found, layer = paddle.load(str(tmp_path), Request())
    assert found.name == "b.json" and isinstance(layer, Layer)
    with pytest.raises(ConvertError, match=r"cannot be read by PaddlePaddle: the last line; is it whole"):
        paddle.load(str(program(tmp_path, "broken")), Request())


PIR = '{"base_code": {"magic": "pir"}, "program": {"ops": [{"#": "1.relu"}%s]}}'


def test_a_network_without_parameters_has_no_weights_beside_it(exporter: Calls, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "a.json").write_text(PIR % ', {"#":"p"}')
    with pytest.raises(ConvertError, match=r"has no program .* with its \.pdiparams"):
        paddle.load(str(tmp_path), Request())
    (tmp_path / "a.json").write_text(PIR % "")
    opened = paddle.load(str(tmp_path), Request())
    assert opened[0] == tmp_path / "a.json"
    made = paddle.export(opened, Request(), tmp_path / "m.onnx")
    assert exporter[0]["args"][1] == "" and made.sources == (str(tmp_path / "a.json"),)


def test_it_is_exported_with_its_answers(exporter: Calls, tmp_path: Path) -> None:
    made = paddle.export((program(tmp_path, "b"), Layer()), Request(opset=20), tmp_path / "m.onnx")
    assert made.sources == (str(tmp_path / "b.json"), str(tmp_path / "b.pdiparams"))
    assert exporter[0]["opset_version"] == 17 and exporter[0]["args"][1] == str(tmp_path / "b.pdiparams")
    assert made.axes == {"x0": {0: "batch"}} and made.drawn and made.outputs == ("output_0", "output_1")
    for case in made.cases:
        np.testing.assert_array_equal(case.answers[1], -case.feeds["x0"])


def test_what_cannot_be_converted(exporter: Calls, tmp_path: Path) -> None:
    exporter.errors.append(RuntimeError("no\n op"))
    with pytest.raises(ConvertError, match=r"paddle2onnx cannot convert it \(RuntimeError: no op\)"):
        paddle.export((program(tmp_path, "b"), Layer()), Request(), tmp_path / "m.onnx")
    exporter.path = lambda *_, **__: tmp_path / "elsewhere.onnx"
    with pytest.raises(ConvertError, match="an operator has no ONNX form"):
        paddle.export((program(tmp_path, "b"), Layer()), Request(), tmp_path / "m.onnx")


def test_an_operator_without_onnx_form_is_named(exporter: Calls, tmp_path: Path) -> None:
    """paddle2onnx ends the process; what it was given is in the log before."""
    operators = "".join(
        f', {{"#":"1.{name}","A":[]}}' for name in ("digamma", "add", "subtract", "batch_norm_")
    )
    (tmp_path / "a.json").write_text(PIR % operators)
    assert paddle._suspects(tmp_path / "a.json") == ["digamma"]
    log = (
        f"...\n{paddle.SUSPECTS}digamma\n[ERROR] Due to the unsupported operators, the conversion is aborted."
    )
    assert "has no ONNX form: digamma; replace it by others" in paddle.last_words(log)
    assert paddle.last_words("Segmentation fault") == ""


def test_inputs_as_tensors() -> None:
    spec = SimpleNamespace(name="ids", shape=[None, -1, 3], dtype="paddle.INT64")
    assert paddle._tensor(spec, 4) == Tensor("ids", (None, None, 3), "int64")
