"""A model is written back where it is asked to lie, with its data where a caller says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from sardonyx.ort.exceptions import Fail, InvalidArgument, InvalidProtobuf
from sardonyx.ort.model_compiler import ModelCompiler, OrtCompileApiFlags, OrtExternalInitializerInfo
from sardonyx.ort.options import SessionOptions
from sardonyx.ort.ortvalue import OrtValue
from tests.unit.runtime.programs import model

W = np.arange(512, dtype=np.float32)
TEXT = "g (float[512] x) => (float[512] y) <float[512] w, float b> { h = Mul(x, w) y = Add(h, b) }"
DATA = model(TEXT, w=W, b=np.array(1, np.float32))


def compiler(source: Any = DATA, **arguments: Any) -> ModelCompiler:
    return ModelCompiler(SessionOptions(), source, **arguments)


def places(data: bytes) -> dict[str, dict[str, str]]:
    graph = onnx.load_from_string(data).graph
    return {t.name: {e.key: e.value for e in t.external_data} for t in graph.initializer}


def test_a_model_of_bytes_a_stream_and_a_file_are_the_same(tmp_path: Path) -> None:
    made, parts = compiler(), list[bytes]()
    made.compile_to_stream(parts.append)
    made.compile_to_file(tmp_path / "m.onnx")
    content = made.compile_to_bytes()
    assert content == b"".join(parts) == (tmp_path / "m.onnx").read_bytes()
    assert places(content)["w"] == {}


def test_without_a_name_it_lies_beside_its_origin(tmp_path: Path) -> None:
    (tmp_path / "m.onnx").write_bytes(DATA)
    compiler(tmp_path / "m.onnx").compile_to_file()
    assert places((tmp_path / "m_ctx.onnx").read_bytes())["w"] == {}
    with pytest.raises(TypeError, match="Output model's filepath is of unexpected type"):
        compiler().compile_to_file()


@pytest.mark.parametrize(("threshold", "outside"), [(2048, True), (2049, False)])
def test_large_data_goes_to_a_file_beside_it(tmp_path: Path, threshold: int, outside: bool) -> None:
    made = compiler(external_initializers_file_path="w.bin", external_initializers_size_threshold=threshold)
    made.compile_to_file(tmp_path / "m.onnx")
    found = places((tmp_path / "m.onnx").read_bytes())["w"]
    assert found == ({"location": "w.bin", "offset": "0", "length": "2048"} if outside else {})
    assert (tmp_path / "w.bin").exists() is outside
    assert not outside or (tmp_path / "w.bin").read_bytes() == W.tobytes()


def test_a_function_says_where_data_lies() -> None:
    asked: dict[str, tuple[list[int], object]] = {}

    def place(name: str, value: OrtValue, before: object) -> OrtExternalInitializerInfo | None:
        asked[name] = (value.shape(), before)
        return OrtExternalInitializerInfo("far.bin", 16, 2048) if name == "w" else None

    found = places(compiler(get_initializer_location_func=place).compile_to_bytes())
    assert asked["w"] == ([512], None)
    assert found["w"] == {"location": "far.bin", "offset": "16", "length": "2048"}


def refuse(*_: object) -> Any:
    raise ValueError("of my own")


@pytest.mark.parametrize(
    ("function", "message"),
    [(refuse, "ValueError: of my own"), (lambda *_: 5, "gave int, not OrtExternalInitializerInfo or None")],
)
def test_a_function_that_fails_is_told(function: Any, message: str) -> None:
    with pytest.raises(Fail, match=message):
        compiler(get_initializer_location_func=function).compile_to_bytes()


def test_a_stream_that_fails_is_told() -> None:
    with pytest.raises(Fail, match="ValueError: of my own"):
        compiler().compile_to_stream(refuse)
    with pytest.raises(TypeError, match="expected a function, got int"):
        compiler().compile_to_stream(3)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("arguments", "kind", "message"),
    [
        ({"source": 3}, TypeError, "Unable to load from type"),
        ({"source": ""}, ValueError, "Input model path is empty"),
        ({"source": b""}, ValueError, "Input model bytes array is empty"),
        ({"external_initializers_file_path": 3}, TypeError, "filepath is of unexpected type"),
        ({"external_initializers_size_threshold": "a"}, TypeError, r"ModelCompiler\(\)"),
        (
            {"external_initializers_file_path": "w", "get_initializer_location_func": refuse},
            *(ValueError, "with both"),
        ),
    ],
)
def test_what_makes_no_sense_is_refused_at_once(
    arguments: dict[str, Any], kind: type[Exception], message: str
) -> None:
    with pytest.raises(kind, match=message):
        compiler(**arguments)


def test_options_must_be_options() -> None:
    with pytest.raises(TypeError, match="expected SessionOptions, got NoneType"):
        ModelCompiler(None, DATA)  # type: ignore[arg-type]


def test_a_model_that_is_none_or_nowhere_is_told(tmp_path: Path) -> None:
    with pytest.raises(InvalidArgument, match="Input model path does not exist"):
        compiler(tmp_path / "gone.onnx").compile_to_bytes()
    with pytest.raises(InvalidProtobuf):
        compiler(b"nonsense").compile_to_bytes()


def test_flags_make_errors(tmp_path: Path) -> None:
    both = OrtCompileApiFlags.ERROR_IF_NO_NODES_COMPILED | OrtCompileApiFlags.ERROR_IF_OUTPUT_FILE_EXISTS
    assert both == 3
    assert 3 & OrtCompileApiFlags.ERROR_IF_NO_NODES_COMPILED == 1
    with pytest.raises(Fail, match="This package writes no compiled nodes"):
        compiler(flags=both).compile_to_bytes()
    made = compiler(flags=OrtCompileApiFlags.ERROR_IF_OUTPUT_FILE_EXISTS)
    made.compile_to_file(tmp_path / "m.onnx")
    with pytest.raises(Fail, match="exists already"):
        made.compile_to_file(tmp_path / "m.onnx")


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(InvalidArgument, match="Output model path must not be empty"):
        compiler().compile_to_file("")
    with pytest.raises(InvalidArgument, match=r"open file .* failed: No such file"):
        compiler().compile_to_file(tmp_path / "none/m.onnx")


def test_a_higher_level_simplifies() -> None:
    text = "g (float[2] x) => (float[2] y) { a = Identity(x) y = Neg(a) }"
    for level, count in ((0, 2), (1, 1)):
        made = compiler(model(text), graph_optimization_level=level)
        assert len(onnx.load_from_string(made.compile_to_bytes()).graph.node) == count


def test_files_of_other_providers_must_at_least_have_a_folder(tmp_path: Path) -> None:
    made = compiler()
    made.set_ep_context_data_write_func(print)
    made.clear_ep_context_data_write_func()
    made.set_ep_context_binary_information(f"{tmp_path}/", "x")
    for folder, name, message in (
        ("", "x", "is empty"),
        (f"{tmp_path}/", "", "is empty"),
        ("a", "x", "not a valid"),
    ):
        with pytest.raises(InvalidArgument, match=message):
            made.set_ep_context_binary_information(folder, name)
