"""ModelCompiler: both modules write models that give the same results, with data where it is asked to lie."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

import sardonyx
from tests.api.engines import model, refused

WEIGHT = np.arange(4096, dtype=np.float32).reshape(64, 64)
BIAS = np.arange(64, dtype=np.float32)
X = {"x": np.ones((2, 64), np.float32)}
Y = X["x"] @ WEIGHT + BIAS


def big(folder: Path) -> Path:
    """A model of one large and one small initialiser, the large one in a file."""
    info = helper.make_tensor_value_info
    nodes = [
        helper.make_node("CastLike", ["x", "w"], ["same"]),
        helper.make_node("MatMul", ["same", "w"], ["t"]),
        helper.make_node("Add", ["t", "b"], ["z"]),
        helper.make_node("Cast", ["z"], ["y"], to=1),
        helper.make_node("Neg", ["t"], ["unused"]),
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [info("x", 1, ["n", 64])],
        [info("y", 1, ["n", 64])],
        [numpy_helper.from_array(WEIGHT, "w"), numpy_helper.from_array(BIAS, "b")],
    )
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.save(proto, folder / "big.onnx", save_as_external_data=True, location="big.data")
    return folder / "big.onnx"


def compiler(engine: ModuleType, source: Any, **arguments: Any) -> Any:
    options = engine.SessionOptions()
    options.log_severity_level = 4
    return engine.ModelCompiler(options, source, **arguments)


def places(path: Path) -> dict[str, dict[str, str]]:
    proto = onnx.load(path, load_external_data=False)
    return {t.name: {e.key: e.value for e in t.external_data} for t in proto.graph.initializer}


def results(engine: ModuleType, source: Any) -> np.ndarray[Any, Any]:
    found: np.ndarray[Any, Any] = engine.InferenceSession(source).run(None, X)[0]
    return found


def test_all_data_lies_inside_unless_told_otherwise(engine: ModuleType, tmp_path: Path) -> None:
    source = str(big(tmp_path))
    compiler(engine, source).compile_to_file(str(tmp_path / "out.onnx"))
    content = compiler(engine, source).compile_to_bytes()
    parts: list[bytes] = []
    compiler(engine, source).compile_to_stream(parts.append)
    (tmp_path / "big.data").unlink()
    for written in (str(tmp_path / "out.onnx"), content, b"".join(parts)):
        np.testing.assert_array_equal(results(engine, written), Y)
    assert places(tmp_path / "out.onnx") == {"w": {}, "b": {}}


@pytest.mark.parametrize("threshold", [100, 1024, 16384])
def test_large_initialisers_go_to_a_file(engine: ModuleType, threshold: int, tmp_path: Path) -> None:
    weights = {"external_initializers_size_threshold": threshold, "external_initializers_file_path": "w.bin"}
    (tmp_path / "out").mkdir()
    out = tmp_path / "out" / "m.onnx"
    compiler(engine, str(big(tmp_path)), **weights).compile_to_file(str(out))
    outside = {name for name, entries in places(out).items() if entries.get("location") == "w.bin"}
    assert outside == {n for n, size in (("w", 16384), ("b", 256)) if size >= threshold}
    (tmp_path / "big.data").unlink()
    np.testing.assert_array_equal(results(engine, str(out)), Y)
    assert {path.name for path in out.parent.iterdir()} <= {"m.onnx", "w.bin"}


def test_a_file_may_be_written_over_the_one_that_is_read(tmp_path: Path) -> None:
    source = str(big(tmp_path))
    made = compiler(sardonyx, source, external_initializers_file_path="big.data")
    made.compile_to_file(source)
    np.testing.assert_array_equal(results(sardonyx, source), Y)


def test_a_function_says_where_initialisers_lie(engine: ModuleType, tmp_path: Path) -> None:
    asked = {}

    def same(name: str, value: Any, info: Any) -> Any:
        place = None if info is None else (info.filepath, info.file_offset, info.byte_size)
        asked[name] = value.shape(), value.tensor_size_in_bytes(), place
        return info

    def other(name: str, value: Any, info: Any) -> Any:
        if name != "b":
            return None
        (tmp_path / "b.bin").write_bytes(b"1234" + value.numpy().tobytes())
        return engine.OrtExternalInitializerInfo("b.bin", 4, 256)

    source = str(big(tmp_path))
    made = compiler(engine, source, get_initializer_location_func=same)
    made.compile_to_file(str(tmp_path / "one.onnx"))
    assert asked == {"w": ([64, 64], 16384, ("big.data", 0, 16384)), "b": ([64], 256, None)}
    made = compiler(engine, source, get_initializer_location_func=other)
    made.compile_to_file(str(tmp_path / "two.onnx"))
    wanted = {"location": "b.bin", "offset": "4", "length": "256"}
    assert places(tmp_path / "two.onnx") == {"w": {}, "b": wanted}
    for name in ("one.onnx", "two.onnx"):
        np.testing.assert_array_equal(results(engine, str(tmp_path / name)), Y)


def test_packed_and_nested_data_keeps_its_bytes(tmp_path: Path) -> None:
    """Elements of half a byte, texts, and initialisers of branches."""
    text = """<ir_version: 10, opset_import: ["": 21]> g (bool c) => (int8[3] y, string[1] t)
    <string[1] t = {"né"}> {
        i = Cast<to = 3>(q)
        y = If<then_branch = a () => (int8[3] p) <int8[3] w = {1, 2, 3}> { p = Add(i, w) },
               else_branch = b () => (int8[3] p) { p = Identity(i) }>(c)
    }"""
    seen = []
    proto = onnx.parser.parse_model(text)
    quarters = np.array([1, -2, 3]).astype(onnx.helper.tensor_dtype_to_np_dtype(onnx.TensorProto.INT4))
    proto.graph.initializer.append(numpy_helper.from_array(quarters, "q"))
    onnx.save(proto, tmp_path / "in.onnx")
    made = compiler(
        sardonyx,
        tmp_path / "in.onnx",
        get_initializer_location_func=lambda name, value, info: seen.append(name),
    )
    session = sardonyx.InferenceSession(made.compile_to_bytes())
    y, t = session.run(None, {"c": np.array(True)})
    assert (y.tolist(), t.tolist(), seen) == ([2, 0, 6], ["né"], ["w"])


def test_a_higher_level_simplifies(engine: ModuleType, tmp_path: Path) -> None:
    level = engine.GraphOptimizationLevel.ORT_ENABLE_BASIC
    source = str(big(tmp_path))
    simple = compiler(engine, source, graph_optimization_level=level).compile_to_bytes()
    operators = [node.op_type for node in onnx.load_from_string(simple).graph.node]
    assert engine is not sardonyx or operators == ["Cast", "MatMul", "Add"]
    np.testing.assert_array_equal(results(engine, simple), Y)


def raising(*_: Any) -> Any:
    raise ValueError("of my own")


FAULTS: dict[str, tuple[str, str, Any]] = {
    "nothing": ("ValueError", "", lambda e: compiler(e, b"")),
    "no name": ("ValueError", "", lambda e: compiler(e, "")),
    "no file": ("InvalidArgument", "does not exist", lambda e: compiler(e, "gone").compile_to_bytes()),
    "no model": ("InvalidProtobuf", "protobuf", lambda e: compiler(e, b"gone").compile_to_bytes()),
    "a number": ("TypeError", "", lambda e: compiler(e, 3)),
    "no options": ("TypeError", "", lambda e: e.ModelCompiler(None, model("two"))),
    "a file of no name": (
        *("TypeError", ""),
        lambda e: compiler(e, model("two"), external_initializers_file_path=3),
    ),
    "two places": (
        *("ValueError", "both"),
        lambda e: compiler(
            e, model("two"), external_initializers_file_path="x", get_initializer_location_func=raising
        ),
    ),
    "an output of no name": ("TypeError", "", lambda e: compiler(e, model("two")).compile_to_file(3)),
    "an empty output": (
        *("InvalidArgument", "must not be empty"),
        lambda e: compiler(e, model("two")).compile_to_file(""),
    ),
    "no folder": (
        *("InvalidArgument", "No such file"),
        lambda e: compiler(e, model("two")).compile_to_file("/nowhere/x.onnx"),
    ),
    "a failing stream": (
        *("Fail", "ValueError: of my own"),
        lambda e: compiler(e, model("two")).compile_to_stream(raising),
    ),
    "no stream": ("TypeError", "", lambda e: compiler(e, model("two")).compile_to_stream(3)),
    "no nodes": (
        *("Fail", "Unable to compile any nodes"),
        lambda e: compiler(
            e, model("two"), flags=e.OrtCompileApiFlags.ERROR_IF_NO_NODES_COMPILED
        ).compile_to_bytes(),
    ),
    "no name for contexts": (
        *("InvalidArgument", "is empty"),
        lambda e: compiler(e, model("two")).set_ep_context_binary_information("", ""),
    ),
}


@pytest.mark.parametrize("case", FAULTS)
def test_faults_are_told_alike(engine: ModuleType, case: str) -> None:
    kind, text, act = FAULTS[case]
    found, said = refused(engine, lambda: act(engine))
    assert found == kind
    assert text in said


@pytest.mark.parametrize("function", [raising, lambda *_: 5, 5], ids=["raises", "gives a number", "is none"])
def test_failing_places(engine: ModuleType, function: Any, tmp_path: Path) -> None:
    made = compiler(engine, str(big(tmp_path)), get_initializer_location_func=function)
    assert refused(engine, made.compile_to_bytes)[0] == "Fail"


def test_a_file_that_is_there_may_be_an_error(engine: ModuleType, tmp_path: Path) -> None:
    flags = engine.OrtCompileApiFlags.NONE | engine.OrtCompileApiFlags.ERROR_IF_OUTPUT_FILE_EXISTS
    assert flags == 2
    made = compiler(engine, model("two"), flags=flags)
    made.compile_to_file(str(tmp_path / "x.onnx"))
    kind, text = refused(engine, lambda: made.compile_to_file(str(tmp_path / "x.onnx")))
    assert (kind, "exists already" in text) == ("Fail", True)


def test_without_a_name_it_lies_beside_the_model(tmp_path: Path) -> None:
    compiler(sardonyx, big(tmp_path)).compile_to_file()
    np.testing.assert_array_equal(results(sardonyx, str(tmp_path / "big_ctx.onnx")), Y)
    with pytest.raises(TypeError):
        compiler(sardonyx, (tmp_path / "big_ctx.onnx").read_bytes()).compile_to_file()


def test_weights_lie_beside_the_model(tmp_path: Path) -> None:
    for name in (str(tmp_path / "w"), "../w"):
        made = compiler(sardonyx, big(tmp_path), external_initializers_file_path=name)
        kind, text = refused(sardonyx, made.compile_to_bytes)
        assert (kind, "must lie beside the model" in text) == ("InvalidArgument", True)


def test_contexts_of_other_providers_are_no_matter(engine: ModuleType, tmp_path: Path) -> None:
    made = compiler(engine, model("two"))
    made.set_ep_context_data_write_func(print)
    made.clear_ep_context_data_write_func()
    made.set_ep_context_binary_information(f"{tmp_path}/", "x")
    assert len(made.compile_to_bytes())
