"""Which of PyTorch's exporters is asked, with which free axes, and what is noted of it."""

from __future__ import annotations

import zipfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from sardonyx.convert.framework import ConvertError, Request
from sardonyx.convert.frameworks.networks import torch
from tests.unit.convert.frameworks import standins
from tests.unit.convert.frameworks.standins import ExportedProgram, Module, Tensor, install

ROWS = np.arange(6, dtype=np.float32).reshape(3, 2)
ONE = Tensor(ROWS[:1])


class Sum(Module):
    """x + y."""

    def forward(self, x: Any, y: Any) -> Any:
        return {"sum": x + y}


class Shout(Module):
    """Takes its inputs by name alone."""

    def forward(self, *, x: Any) -> Any:
        return x + 1


def test_example_inputs_stand_beside_the_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = standins.torch(monkeypatch).exports
    made = torch.export((Sum(), (ONE, ONE)), Request(), tmp_path / "m.onnx")
    assert (made.outputs, made.notes, made.drawn, made.batch) == (("sum",), (), False, False)
    assert made.axes == {"x": {0: "batch"}, "y": {0: "batch"}}
    assert [case.feeds["x"].shape[0] for case in made.cases] == [2, 1]
    np.testing.assert_array_equal(made.cases[0].answers[0], 2 * np.repeat(ROWS[:1], 2, 0))
    assert asked[0]["dynamo"] and asked[0]["opset_version"] == 20 and not asked[0]["external_data"]
    assert asked[0]["dynamic_shapes"] == {"inputs": {"x": {0: "batch"}, "y": {0: "batch"}}}


def test_inputs_by_name_and_fixed_axes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = standins.torch(monkeypatch).exports
    request = Request(dynamic=("_", "past + length"), opset=18)
    made = torch.export((Sum(), {"y": ONE, "x": ONE}), request, tmp_path / "m.onnx")
    assert list(made.cases[0].feeds) == ["y", "x"] and made.cases[0].feeds["x"].shape == (1, 2)
    assert asked[0]["dynamic_shapes"]["inputs"]["x"] == {1: "auto"} and asked[0]["opset_version"] == 18


def test_too_few_inputs_are_told_before_anything_is_exported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = standins.torch(monkeypatch).exports
    for given, request in (((ONE,), Request()), ((), Request(sample={"x": ROWS}))):
        with pytest.raises(ConvertError, match=r"no example of y: the model takes 2 inputs \(x, y\)"):
            torch.export((Sum(), *given), request, tmp_path / "m.onnx")
    assert not asked


class Any3(Module):
    """Takes any number of inputs, by place or by name."""

    def forward(self, first: Any, *rest: Any, last: Any = 0, **others: Any) -> Any:
        return first + last, {"others": [*rest, *others.values()]}


def test_example_inputs_as_torch_has_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    standins.torch(monkeypatch)
    for given, names in (
        ((ONE, {"y": ONE}), ["x", "y"]),
        (((ONE, ONE),), ["x", "y"]),
        ((ROWS, {"y": ONE}), ["x", "y"]),
    ):
        assert list(torch.export((Sum(), *given), Request(), tmp_path / "m.onnx").cases[0].feeds) == names
    made = torch.export((Any3(), ONE, ONE, ONE), Request(), tmp_path / "m.onnx")
    assert list(made.cases[0].feeds) == ["first", "x1", "x2"]
    assert made.outputs == ("output_0", "others_0", "others_1")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ((ONE, ONE, ONE), r"of the example inputs 3 are not among .* 2 inputs \(x, y\)"),
        ((ONE, {"z": ONE}), "the example input y is a dict, and ONNX takes arrays of numbers"),
        ((ONE, {"x": ONE}), "the example input y is a dict"),
        (([ONE, ONE], ONE), "the example input x is a list, and ONNX takes arrays of numbers"),
        ((ONE, None), "the example input y is a NoneType"),
        ((ONE, "text"), "the example input y is a str"),
    ],
)
def test_example_inputs_that_cannot_be(
    given: Any, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    standins.torch(monkeypatch)
    with pytest.raises(ConvertError, match=said):
        torch.export((Sum(), *given), Request(), tmp_path / "m.onnx")


def test_a_sample_stands_for_inputs_that_are_not_tensors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    standins.torch(monkeypatch)
    made = torch.export((Sum(), (None, 3)), Request({"x": ROWS, "y": ROWS}), tmp_path / "m.onnx")
    assert list(made.cases[0].feeds) == ["x", "y"]


def test_an_operator_that_the_newer_one_lacks_is_traced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = standins.torch(monkeypatch, ValueError("No ONNX function for operator 'aten::fold'")).exports
    made = torch.export(Sum(), Request({"x": ROWS, "y": ROWS}), tmp_path / "m.onnx")
    assert made.notes[0].startswith(
        "exported by tracing, since torch.export said: the operator aten::fold has no"
    )
    assert not asked[1]["dynamo"] and asked[1]["dynamic_axes"] == {"x": {0: "batch"}, "y": {0: "batch"}}


def test_a_batch_that_cannot_be_free_is_fixed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    error = ValueError("Constraints violated\n - batch was specialized to 2")
    asked = standins.torch(monkeypatch, error, None).exports
    made = torch.export(Shout(), Request({"x": ROWS}), tmp_path / "m.onnx")
    (note,) = made.notes
    assert (
        note.startswith("the batch is fixed to 3: a free axis cannot be free") and "specialized to 2" in note
    )
    assert made.axes == {"x": {}} and len(made.cases) == 1 and asked[1]["dynamic_shapes"] is None


@pytest.mark.parametrize(
    ("said", "dynamic", "told"),
    [
        ("data-dependent guard", (), "decides by the content of a tensor"),
        ("Constraints violated", ("rows",), "a free axis cannot be free"),
        ("odd", (), r"torch\.onnx cannot export it \(ValueError: odd\)"),
    ],
)
def test_what_cannot_be_exported(
    said: str, dynamic: tuple[str, ...], told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    standins.torch(monkeypatch, *[ValueError(said)] * 3)
    with pytest.raises(ConvertError, match=told):
        torch.export(Sum(), Request({"x": ROWS, "y": ROWS}, dynamic=dynamic), tmp_path / "m.onnx")


def test_shapes_are_stated_or_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    standins.torch(monkeypatch)
    made = torch.export(Sum(), Request(options={"inputs": ["1,2", "1,2"]}), tmp_path / "m.onnx")
    assert made.drawn and [len(case.feeds["y"]) for case in made.cases] == [2, 1, 3]
    with pytest.raises(
        ConvertError, match=r"its inputs \(x, y\) are not known; .*'inputs': \['x=1,3,224,224"
    ):
        torch.export(Sum(), Request(), tmp_path / "m.onnx")
    with pytest.raises(ConvertError, match="class list is neither a torch.nn.Module nor one with its inputs"):
        torch.export([1], Request(), tmp_path / "m.onnx")


def test_answers_are_flat_and_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    standins.torch(monkeypatch)

    class Half(Tensor):
        dtype = "bfloat16"

    found = torch.outputs_of({"a": [Half([1.5]), None], "b": (Tensor([2]), "text")})
    assert [part.tolist() for part in found] == [[1.5], [2]] and found[0].dtype == np.float32
    assert torch.output_names(Tensor([2])) == ("output",)


def test_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = standins.torch(monkeypatch).module

    def read(source: str, **_: Any) -> Any:
        if "broken" in source:
            raise ValueError("bad")
        return Sum() if source.endswith("m.pt") else {"weight": 1}

    fake.load = read
    fake.export.load = read
    for name in ("m.pt2", "broken.pt2"):
        with zipfile.ZipFile(tmp_path / name, "w") as archive:
            archive.writestr("m/archive_format", "pt2")
    (tmp_path / "m.pt").write_bytes(b"\x80")
    assert isinstance(torch.load(str(tmp_path / "m.pt"), Request()), Sum)
    assert torch.load(str(tmp_path / "m.pt2"), Request()) == {"weight": 1}
    for name, told in (
        ("broken.pt2", "cannot be read as an exported program: bad"),
        ("broken.pt", r"cannot be opened \(ValueError: bad\); a pickled module needs its class"),
        ("w.pt", "holds a dict, not a module; build the module in Python"),
    ):
        with pytest.raises(ConvertError, match=told):
            torch.load(str(tmp_path / name), Request())


class Program(ExportedProgram):
    """A program of two inputs, the second by name."""

    example_inputs: Any = ((ONE,), {"y": ONE})

    def __init__(self) -> None:
        kinds = (("p_weight", "PARAMETER"), ("x", "USER_INPUT"), ("y", "USER_INPUT"))
        specs = [SimpleNamespace(arg=SimpleNamespace(name=n), kind=SimpleNamespace(name=k)) for n, k in kinds]
        self.graph_signature = SimpleNamespace(input_specs=specs)

    def module(self) -> Any:
        return Sum()


def test_programs_bring_their_example_inputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    standins.torch(monkeypatch)
    inputs = [SimpleNamespace(name=name) for name in ("args_0", "y")]
    model = SimpleNamespace(graph=SimpleNamespace(inputs=inputs))
    written = SimpleNamespace(model=model, save=lambda path, external_data: standins.some_model(path))
    install(monkeypatch, "torch.onnx", export=lambda program, **_: written)
    made = torch.export(Program(), Request(), tmp_path / "m.onnx")
    assert list(made.cases[0].feeds) == ["args_0", "y"] and made.drawn
    np.testing.assert_array_equal(made.cases[0].answers[0], 2 * ROWS[:1])
    given = torch.export(Program(), Request({"x": ROWS, "y": ROWS}), tmp_path / "m.onnx")
    assert not given.drawn and len(given.cases[0].answers[0]) == 3
    empty = Program()
    empty.example_inputs = None
    with pytest.raises(ConvertError, match="the program holds no example inputs; give sample="):
        torch.export(empty, Request(), tmp_path / "m.onnx")
