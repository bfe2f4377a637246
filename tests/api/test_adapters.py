"""LoRA adapters: both modules read each other's files and feed them alike."""

from __future__ import annotations

import random
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import onnx
import pytest

import sardonyx
from tests.api.engines import refused
from tests.runnable import examples

MODEL = """<ir_version: 8, opset_import: ["": 18]>
g (float[2,2] x, float[2,r] a, float[r,2] b, float[2,2] w) => (float[2,2] y)
<float[2,0] a = {}, float[0,2] b = {}, float[2,2] w = {1, 0, 0, 1}> {
    base = MatMul(x, w)  down = MatMul(x, a)  up = MatMul(down, b)  y = Add(base, up)
}"""
X = {"x": np.array([[1, 2], [3, 4]], np.float32)}


def session(engine: ModuleType) -> Any:
    options = engine.SessionOptions()
    options.log_severity_level = 4
    proto = onnx.parser.parse_model(MODEL)
    del proto.graph.input[3]
    return engine.InferenceSession(proto.SerializeToString(), options)


def value(engine: ModuleType, array: np.ndarray[Any, Any]) -> Any:
    return engine.OrtValue.ortvalue_from_numpy(array)


def file(engine: ModuleType, path: Path, rank: int, fill: float) -> Path:
    adapter = engine.AdapterFormat()
    adapter.set_adapter_version(3)
    adapter.set_model_version(7)
    parameters = {"a": np.full((2, rank), fill, np.float32), "b": np.ones((rank, 2), np.float32)}
    adapter.set_parameters({name: value(engine, array) for name, array in parameters.items()})
    adapter.export_adapter(str(path))
    return path


KEPT: list[Any] = []
"""onnxruntime's options do not keep their adapters alive."""


def active(engine: ModuleType, *paths: Path) -> Any:
    options = engine.RunOptions()
    for path in paths:
        adapter = engine.LoraAdapter()
        adapter.Load(str(path))
        options.add_active_adapter(adapter)
        KEPT.append(adapter)
    return options


def test_either_reads_what_the_other_writes(engine: ModuleType, tmp_path: Path) -> None:
    import onnxruntime

    for writer in (sardonyx, onnxruntime):
        found = engine.AdapterFormat.read_adapter(str(file(writer, tmp_path / "x", 3, 2.5)))
        assert (found.get_format_version(), found.get_adapter_version(), found.get_model_version()) == (
            1,
            3,
            7,
        )
        values = found.get_parameters()
        assert sorted(values) == ["a", "b"]
        assert (values["a"].shape(), values["a"].element_type()) == ([2, 3], 1)
        del found
        np.testing.assert_array_equal(values["a"].numpy(), np.full((2, 3), 2.5, np.float32))


@pytest.mark.parametrize("code", [1, 2, 3, 4, 5, 6, 7, 10, 11, 12, 13, 16, 17, 18, 19, 20])
def test_parameters_have_any_type_of_numbers(engine: ModuleType, code: int, tmp_path: Path) -> None:
    empty = value(engine, np.zeros((3, 0, 2), np.float32))
    given = engine.OrtValue.ortvalue_from_shape_and_type([3, 1], code)
    adapter = engine.AdapterFormat()
    adapter.set_parameters({"p": given, "né": empty})
    adapter.export_adapter(str(tmp_path / "x"))
    back = engine.AdapterFormat.read_adapter(str(tmp_path / "x"))
    back.set_adapter_version(1)
    back.export_adapter(str(tmp_path / "y"))
    values = sardonyx.AdapterFormat.read_adapter(tmp_path / "y").get_parameters()
    assert {n: (v.shape(), v.element_type()) for n, v in values.items()} == {
        "p": ([3, 1], code),
        "né": ([3, 0, 2], 1),
    }


def test_runs_feed_the_parameters_of_their_adapters(engine: ModuleType, tmp_path: Path) -> None:
    one, two = file(engine, tmp_path / "1", 1, 1), file(engine, tmp_path / "2", 2, 10)
    made = session(engine)
    tests = {(): 0, (one,): 1, (two,): 20, (one, two): 1, (two, one): 20}
    for paths, factor in tests.items():
        expected = X["x"] + factor * X["x"].sum(1, keepdims=True)
        results = made.run(None, X, active(engine, *paths))
        np.testing.assert_array_equal(results[0], expected)
        values = {"x": value(engine, X["x"])}
        results = made.run_with_ort_values(None, values, active(engine, *paths))
        np.testing.assert_array_equal(results[0].numpy(), expected)
    fed = {**X, "a": np.full((2, 1), 5, np.float32), "b": np.ones((1, 2), np.float32)}
    results = made.run(None, fed, active(engine, one))
    np.testing.assert_array_equal(results[0], X["x"] + X["x"].sum(1, keepdims=True))
    assert np.array_equal(made.run(None, X)[0], X["x"])


def test_parameters_the_model_lacks_are_refused(engine: ModuleType, tmp_path: Path) -> None:
    adapter = engine.AdapterFormat()
    adapter.set_parameters({"w": value(engine, np.ones((2, 2), np.float32))})
    adapter.export_adapter(str(tmp_path / "x"))
    kind, text = refused(engine, lambda: session(engine).run(None, X, active(engine, tmp_path / "x")))
    assert (kind, "Invalid input name: w" in text) == ("InvalidArgument", True)


def test_an_adapter_without_content_changes_nothing(engine: ModuleType) -> None:
    options = engine.RunOptions()
    empty = engine.LoraAdapter()
    options.add_active_adapter(empty)
    np.testing.assert_array_equal(session(engine).run(None, X, options)[0], X["x"])
    assert refused(engine, lambda: options.add_active_adapter("x"))[0] == "TypeError"
    assert refused(engine, lambda: engine.AdapterFormat().set_model_version("x"))[0] == "TypeError"


def test_text_is_no_parameter(engine: ModuleType, tmp_path: Path) -> None:
    source = """<ir_version: 8, opset_import: ["": 18]>
    g () => (string[1] y) { y = Constant<value_strings = ["x"]>() }"""
    proto = onnx.parser.parse_model(source)
    (text,) = engine.InferenceSession(proto.SerializeToString()).run_with_ort_values(["y"], {})
    adapter = engine.AdapterFormat()
    adapter.set_parameters({"p": text})
    kind, said = refused(engine, lambda: adapter.export_adapter(str(tmp_path / "x")))
    assert (kind, "STRING" in said) == ("RuntimeError", True)
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize("array", [np.array([True]), np.array(1.0), np.zeros(1, np.complex64)], ids=str)
def test_what_no_one_could_read_is_not_written(array: np.ndarray[Any, Any], tmp_path: Path) -> None:
    adapter = sardonyx.AdapterFormat()
    adapter.set_parameters({"p": sardonyx.OrtValue(array)})
    with pytest.raises(RuntimeError, match="parameter 'p'"):
        adapter.export_adapter(tmp_path / "x")
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize("content", [None, b"", b"nothing of the kind", b"\xff\0\0\0TORT" + bytes(40)])
def test_other_files_are_refused(engine: ModuleType, content: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "x"
    if content is not None:
        path.write_bytes(content)
    assert refused(engine, lambda: engine.AdapterFormat.read_adapter(str(path)))[0] == "RuntimeError"
    assert refused(engine, lambda: engine.LoraAdapter().Load(str(path)))[0] == "RuntimeError"


def test_damaged_files_are_refused_or_read_within_their_bounds(tmp_path: Path) -> None:
    good = file(sardonyx, tmp_path / "x", 2, 1).read_bytes()
    draw = random.Random(5)
    for _ in range(examples(500, 2000)):
        content = bytearray(good)
        for _ in range(draw.randint(1, 3)):
            content[draw.randrange(len(content))] = draw.choice((0, 1, 127, 128, 255, draw.randrange(256)))
        (tmp_path / "y").write_bytes(content[: draw.randint(len(content) // 2, 2 * len(content))])
        try:
            found = sardonyx.AdapterFormat.read_adapter(tmp_path / "y")
        except RuntimeError as error:
            assert str(tmp_path / "y") in str(error)
        else:
            for read in found.parameters.values():
                assert len(read.numpy().tobytes()) <= len(content)
