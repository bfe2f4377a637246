"""The same use and misuse of both modules: equal values, equal exception classes, equal message prefixes."""

from __future__ import annotations

import importlib
import threading
import warnings
from collections import OrderedDict, UserDict
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import onnx
import pytest

HEAD = '<ir_version: 8, opset_import: ["" : 17]>'
MODELS = {
    "two": "g (float[N, 3] x, float[N, 3] y) => (float[N, 3] sum, float[N, 3] product)"
    " { sum = Add(x, y) product = Mul(x, y) }",
    "one": "g (float[N] x) => (float[N] y) { y = Relu(x) }",
    "scalar": "g (float x) => (float y) { y = Relu(x) }",
    "int64": "g (int64[N] x) => (int64[N] y) { y = Add(x, x) }",
    "uint8": "g (uint8[N] x) => (uint8[N] y) { y = Identity(x) }",
    "bool": "g (bool[N] x) => (bool[N] y) { y = Not(x) }",
    "half": "g (float16[N] x) => (float16[N] y) { y = Identity(x) }",
    "same": "g (float[N] x) => (float[N] y) { y = Identity(x) }",
    "double": "g (double[N] x) => (double[N] y) { y = Neg(x) }",
    "text": "g (string[N] x) => (string[N] y) { y = Identity(x) }",
    "static": "g (float[2, 3] x) => (float[3, 2] y) { y = Transpose<perm = [1, 0]>(x) }",
    "gather": "g (float[N] x, int64[M] i) => (float[M] y) { [pick] y = Gather<axis = 0>(x, i) }",
    "divide": "g (int64[N] x, int64[N] d) => (int64[N] y) { [div] y = Div(x, d) }",
    "weighted": "g (float[N] x, float[1] w) => (float[N] y) <float[1] w = {3}> { y = Mul(x, w) }",
    "fixed": "g (float[N] x) => (float[N] y) <float[1] w = {3}> { y = Mul(x, w) }",
    "rank0": "g (float[N, M] x) => (float y) { y = ReduceSum<keepdims = 0>(x) }",
}
ONES = np.ones((2, 3), np.float32)
PAIR = {"x": ONES, "y": 2 * ONES}
LINE = np.array([-1.0, 0.5, 2.0], np.float32)

Act = Callable[[ModuleType, Any], Any]


@pytest.fixture(scope="module", params=["onnxruntime", "sardonyx"])
def engine(request: pytest.FixtureRequest) -> ModuleType:
    if request.param == "sardonyx":
        pytest.importorskip("sardonyx.compile")
    return importlib.import_module(request.param)


def model(name: str) -> bytes:
    proto = onnx.parser.parse_model(HEAD + MODELS[name])
    proto.producer_name, proto.domain, proto.model_version = "maker", "org.example", 3
    proto.doc_string, proto.graph.doc_string = "what it does", "the graph"
    onnx.helper.set_model_props(proto, {"key": "value"})
    data: bytes = proto.SerializeToString()
    return data


def session(engine: ModuleType, name: str, *args: Any, **kwargs: Any) -> Any:
    options = engine.SessionOptions()
    options.log_severity_level = 4
    return engine.InferenceSession(model(name), *(args or (options,)), **kwargs)


def refused(engine: ModuleType, act: Callable[[], Any]) -> tuple[str, str]:
    """The class name and the text of the exception of `act`."""
    try:
        act()
    except Exception as error:
        api = importlib.import_module(f"{engine.__name__}.capi.onnxruntime_pybind11_state")
        known = getattr(api, type(error).__name__, None)
        assert known is type(error) or type(error).__module__ == "builtins"
        if known is not None:
            assert type(error).__mro__[1] is Exception
        return type(error).__name__, str(error)
    pytest.fail("nothing was refused")


FEED_ERRORS: dict[str, tuple[str, Any, str, str]] = {
    "missing": (
        "two",
        {"x": ONES},
        "ValueError",
        "Required inputs (['y']) are missing from input feed (['x']).",
    ),
    "empty": ("two", {}, "ValueError", "Required inputs (['x', 'y']) are missing from input feed ([])."),
    "feed None": ("two", None, "AttributeError", "'NoneType' object has no attribute 'keys'"),
    "feed list": ("two", [ONES, ONES], "AttributeError", "'list' object has no attribute 'keys'"),
    "unknown input": ("two", {**PAIR, "q": ONES}, "InvalidArgument", "Invalid input name: q"),
    "name no str": ("two", {**PAIR, 3: ONES}, "TypeError", "run(): incompatible function arguments"),
    "dtype": (
        "two",
        {**PAIR, "x": ONES.astype(np.float64)},
        "InvalidArgument",
        "Unexpected input data type. Actual: (tensor(double)) , expected: (tensor(float))",
    ),
    "dtype of int": (
        "int64",
        {"x": np.ones(2, np.int32)},
        "InvalidArgument",
        "Unexpected input data type. Actual: (tensor(int32)) , expected: (tensor(int64))",
    ),
    "text for numbers": (
        "int64",
        {"x": np.array(["1"])},
        "InvalidArgument",
        "Unexpected input data type. Actual: (tensor(string)) , expected: (tensor(int64))",
    ),
    "objects for numbers": (
        "int64",
        {"x": np.array([1], object)},
        "InvalidArgument",
        "Unexpected input data type. Actual: (tensor(string)) , expected: (tensor(int64))",
    ),
    "bytes for bool": (
        "bool",
        {"x": np.ones(2, np.uint8)},
        "InvalidArgument",
        "Unexpected input data type. Actual: (tensor(uint8)) , expected: (tensor(bool))",
    ),
    "float for half": (
        "half",
        {"x": np.ones(2, np.float32)},
        "InvalidArgument",
        "Unexpected input data type. Actual: (tensor(float)) , expected: (tensor(float16))",
    ),
    "numbers for text": (
        "text",
        {"x": np.ones(2, np.float32)},
        "InvalidArgument",
        "Unexpected input data type. Actual: (tensor(float)) , expected: (tensor(string))",
    ),
    "dict for tensor": ("one", {"x": {"a": 1}}, "InvalidArgument", "Unexpected input data type. Actual: ("),
    "rank": (
        "two",
        {**PAIR, "x": ONES[0]},
        "InvalidArgument",
        "Invalid rank for input: x Got: 1 Expected: 2",
    ),
    "rank of list": (
        "two",
        {**PAIR, "x": [1, 2, 3]},
        "InvalidArgument",
        "Invalid rank for input: x Got: 1 Expected: 2",
    ),
    "size": (
        "two",
        {**PAIR, "x": np.ones((2, 4), np.float32)},
        "InvalidArgument",
        "Got invalid dimensions for input: x for the following indices\n index: 1 Got: 4 Expected: 3\n",
    ),
    "two sizes": (
        "static",
        {"x": np.ones((3, 4), np.float32)},
        "InvalidArgument",
        "Got invalid dimensions for input: x for the following indices\n"
        " index: 0 Got: 3 Expected: 2\n index: 1 Got: 4 Expected: 3\n",
    ),
    "None": ("one", {"x": None}, "Fail", "Missing Input: x"),
    "complex": ("one", {"x": np.ones(2, np.complex64)}, "RuntimeError", "Numpy_type 14 can't be converted"),
    "date": ("int64", {"x": np.zeros(2, "M8[D]")}, "RuntimeError", "Numpy_type 21 can't be converted"),
    "ragged": (
        "two",
        {**PAIR, "x": [[1, 2], [3]]},
        "RuntimeError",
        "Could not create tensor from given input list",
    ),
    "words for numbers": (
        "one",
        {"x": ["a"]},
        "RuntimeError",
        "Could not create tensor from given input list",
    ),
    "too large": ("uint8", {"x": [300]}, "RuntimeError", "Could not create tensor from given input list"),
    "str": (
        "one",
        {"x": "abc"},
        "RuntimeError",
        "Input must be a list of dictionaries or a single numpy array",
    ),
    "bytes": (
        "one",
        {"x": b"abc"},
        "RuntimeError",
        "Input must be a list of dictionaries or a single numpy array",
    ),
    "object": ("one", {"x": object()}, "RuntimeError", "Unable to handle object of type <class 'object'>"),
    "override size": (
        "weighted",
        {"x": LINE, "w": np.ones(2, np.float32)},
        "InvalidArgument",
        "Got invalid dimensions for input: w for the following indices\n index: 0 Got: 2 Expected: 1\n",
    ),
    "no override": (
        "fixed",
        {"x": LINE, "w": np.ones(1, np.float32)},
        "InvalidArgument",
        "Invalid input name: w",
    ),
    "out of bounds": (
        "gather",
        {"x": LINE, "i": np.array([7])},
        "InvalidArgument",
        "Non-zero status code returned",
    ),
    "division by zero": (
        "divide",
        {"x": np.ones(2, np.int64), "d": np.zeros(2, np.int64)},
        "Fail",
        "Non-zero status code returned while running",
    ),
}


@pytest.mark.parametrize("case", FEED_ERRORS)
def test_wrong_feeds_are_refused_alike(engine: ModuleType, case: str) -> None:
    name, feed, expected, prefix = FEED_ERRORS[case]
    kind, text = refused(engine, lambda: session(engine, name).run(None, feed))
    assert kind == expected
    assert prefix in text


RUN_ERRORS: dict[str, tuple[Act, str, str]] = {
    "unknown output": (lambda _, s: s.run(["nope"], PAIR), "InvalidArgument", "Invalid output name:nope"),
    "names as str": (lambda _, s: s.run("sum", PAIR), "TypeError", "run(): incompatible function arguments"),
    "names as dict": (lambda _, s: s.run({"sum": 1}, PAIR), "TypeError", "incompatible function arguments"),
    "names of int": (lambda _, s: s.run([0], PAIR), "TypeError", "incompatible function arguments"),
    "input before output": (
        lambda _, s: s.run(["nope"], {**PAIR, "q": ONES}),
        "InvalidArgument",
        "Invalid input name: q",
    ),
    "options as dict": (lambda _, s: s.run(None, PAIR, {}), "TypeError", "incompatible function arguments"),
    "no feed": (
        lambda _, s: s.run(None),
        "TypeError",
        "missing 1 required positional argument: 'input_feed'",
    ),
    "terminated": (
        lambda e, s: s.run(None, PAIR, _terminated(e)),
        "Fail",
        "Exiting due to terminate flag being set to true.",
    ),
    "async missing": (
        lambda _, s: s.run_async(None, {}, print, None),
        "ValueError",
        "Required inputs (['x', 'y'])",
    ),
    "bind unknown": (
        lambda _, s: s.io_binding().bind_cpu_input("q", ONES),
        "RuntimeError",
        "Failed to find NodeArg",
    ),
}


def _terminated(engine: ModuleType) -> Any:
    options = engine.RunOptions()
    options.terminate = True
    return options


@pytest.mark.parametrize("case", RUN_ERRORS)
def test_wrong_calls_are_refused_alike(engine: ModuleType, case: str) -> None:
    act, expected, prefix = RUN_ERRORS[case]
    opened = session(engine, "two")
    kind, text = refused(engine, lambda: act(engine, opened))
    assert kind == expected
    assert prefix in text


def _text(body: str, *, opset: int = 17, ir: int = 8) -> bytes:
    proto = onnx.parser.parse_model(f'<ir_version: {ir}, opset_import: ["" : {opset}]> {body}')
    data: bytes = proto.SerializeToString()
    return data


LOAD_ERRORS: dict[str, tuple[Any, str, str]] = {
    "missing file": (
        "/no/such/file.onnx",
        "NoSuchFile",
        "Load model from /no/such/file.onnx failed:Load model",
    ),
    "None": (None, "TypeError", "Unable to load from type '<class 'NoneType'>'"),
    "bytearray": (bytearray(b"x"), "TypeError", "Unable to load from type '<class 'bytearray'>'"),
    "memoryview": (memoryview(b"x"), "TypeError", "Unable to load from type '<class 'memoryview'>'"),
    "empty path": ("", "TypeError", "incompatible constructor arguments"),
    "empty bytes": (b"", "InvalidArgument", "No graph was found in the protobuf."),
    "no graph": (b"\x08\x08", "InvalidArgument", "No graph was found in the protobuf."),
    "garbage": (b"garbage", "InvalidProtobuf", "Failed to load model"),
    "unknown operator": (_text("g (float[N] x) => (float[N] y) { y = NoSuchOp(x) }"), "InvalidGraph", ""),
    "unknown domain": (_text("g (float[N] x) => (float[N] y) { y = foo.Bar(x) }"), "InvalidGraph", ""),
    "undefined": (_text("g (float[N] x) => (float[N] y) { y = Relu(q) }"), "InvalidArgument", "q"),
    "undefined output": (_text("g (float[N] x) => (float[N] y) { z = Relu(x) }"), "Fail", "y"),
    "shapes": (
        _text("g (float[2,3] x, float[2,3] w) => (float[N,M] y) { y = MatMul(x, w) }"),
        "Fail",
        "MatMul",
    ),
    "types": (_text("g (float[2] x, double[2] w) => (float[N] y) { y = Add(x, w) }"), "Fail", ""),
    "opset of tomorrow": (_text("g (float[N] x) => (float[N] y) { y = Relu(x) }", opset=99), "Fail", ""),
}


@pytest.mark.parametrize("case", LOAD_ERRORS)
def test_broken_models_are_refused_alike(engine: ModuleType, case: str) -> None:
    source, expected, prefix = LOAD_ERRORS[case]
    kind, text = refused(engine, lambda: engine.InferenceSession(source))
    assert kind == expected
    assert prefix in text


def test_damaged_files_are_refused_alike(engine: ModuleType, tmp_path: Path) -> None:
    garbage, empty = tmp_path / "garbage.onnx", tmp_path / "empty.onnx"
    garbage.write_bytes(b"garbage garbage")
    empty.write_bytes(b"")
    kind, text = refused(engine, lambda: engine.InferenceSession(garbage))
    assert (kind, text.split(" : ", 3)[3].startswith(f"Load model from {garbage} failed:")) == (
        "InvalidProtobuf",
        True,
    )
    kind, text = refused(engine, lambda: engine.InferenceSession(str(empty)))
    assert kind == "InvalidArgument"
    assert "No graph was found in the protobuf." in text
    assert refused(engine, lambda: engine.InferenceSession(tmp_path))[0] == "InvalidProtobuf"


USES: dict[str, tuple[str, Any, Any]] = {
    "all by None": ("two", None, PAIR),
    "all by []": ("two", [], PAIR),
    "all by ()": ("two", (), PAIR),
    "all by empty str": ("two", "", PAIR),
    "one": ("two", ["product"], PAIR),
    "tuple": ("two", ("product", "sum"), PAIR),
    "twice": ("two", ["product", "sum", "product"], PAIR),
    "set": ("two", {"sum"}, PAIR),
    "array of names": ("two", np.array(["sum"]), PAIR),
    "bytes name": ("two", [b"sum"], PAIR),
    "mapping": ("two", None, UserDict(PAIR)),
    "ordered": ("two", None, OrderedDict(reversed(PAIR.items()))),
    "fortran order": (
        "two",
        None,
        {**PAIR, "x": np.asfortranarray(np.arange(6, dtype=np.float32).reshape(2, 3))},
    ),
    "strided": ("two", None, {**PAIR, "x": np.arange(24, dtype=np.float32).reshape(4, 6)[::2, ::2]}),
    "negative strides": (
        "two",
        None,
        {**PAIR, "x": np.arange(6, dtype=np.float32).reshape(2, 3)[::-1, ::-1]},
    ),
    "masked": ("two", None, {**PAIR, "x": np.ma.array(ONES, mask=ONES > 0)}),
    "list": ("two", None, {**PAIR, "x": [[1, 2.5, 3], [4, 5, 6]]}),
    "list of bool": ("two", None, {**PAIR, "x": [[True, False, True], [False, True, False]]}),
    "list of arrays": ("two", None, {**PAIR, "x": [ONES[0], ONES[1]]}),
    "empty array": ("one", None, {"x": np.zeros(0, np.float32)}),
    "empty list": ("one", None, {"x": []}),
    "scalar": ("scalar", None, {"x": np.array(-3, np.float32)}),
    "scalar result": ("rank0", None, {"x": ONES}),
    "int list": ("int64", None, {"x": [1, 2]}),
    "float list for int": ("int64", None, {"x": [1.5]}),
    "bool list": ("bool", None, {"x": [0, 2, True]}),
    "half": ("half", None, {"x": np.array([1.5, -0.1], np.float16)}),
    "double": ("double", None, {"x": np.array([1.5, -0.1])}),
    "words": ("text", None, {"x": ["a", "b"]}),
    "unicode": ("text", None, {"x": np.array(["ä", "bc"])}),
    "objects as text": ("text", None, {"x": np.array(["a", 1, None], object)}),
    "override": ("weighted", None, {"x": LINE, "w": np.array([5], np.float32)}),
    "no override": ("weighted", None, {"x": LINE}),
    "size of free dimensions": ("gather", None, {"x": LINE, "i": np.array([2, 0, -1, 1])}),
}


@pytest.mark.parametrize("case", USES)
def test_uses_give_equal_values(case: str) -> None:
    pytest.importorskip("sardonyx.compile")
    name, outputs, feed = USES[case]
    ours, peers = (
        session(importlib.import_module(engine), name).run(outputs, feed)
        for engine in ("sardonyx", "onnxruntime")
    )
    assert type(ours) is list
    assert len(ours) == len(peers)
    for a, b in zip(ours, peers, strict=True):
        assert (type(a), a.dtype, a.shape) == (type(b), b.dtype, b.shape)
        assert a.flags.c_contiguous
        assert a.flags.writeable
        np.testing.assert_array_equal(a, b)


def test_outputs_never_share_memory_with_feeds(engine: ModuleType) -> None:
    opened = session(engine, "same")
    for _ in range(2):
        (y,) = opened.run(None, {"x": LINE})
        assert not np.shares_memory(y, LINE)


def test_description_of_a_model(engine: ModuleType) -> None:
    opened = session(engine, "two")
    (x, y), outputs = opened.get_inputs(), opened.get_outputs()
    assert (x.name, x.type, x.shape) == ("x", "tensor(float)", ["N", 3])
    assert str(y) == "NodeArg(name='y', type='tensor(float)', shape=['N', 3])"
    assert [output.name for output in outputs] == ["sum", "product"]
    assert refused(engine, lambda: setattr(x, "name", "q"))[0] == "AttributeError"
    meta = opened.get_modelmeta()
    assert (meta.producer_name, meta.graph_name, meta.domain) == ("maker", "g", "org.example")
    assert (meta.description, meta.graph_description, meta.version) == ("what it does", "the graph", 3)
    assert meta.custom_metadata_map == {"key": "value"}
    assert opened.get_overridable_initializers() == []
    weighted = session(engine, "weighted")
    assert [i.name for i in weighted.get_inputs()] == ["x"]
    assert [i.name for i in weighted.get_overridable_initializers()] == ["w"]
    assert session(engine, "scalar").get_inputs()[0].shape == []


def test_session_members(engine: ModuleType) -> None:
    options = engine.SessionOptions()
    options.intra_op_num_threads = 1
    opened = session(engine, "one", options)
    options.intra_op_num_threads = 2
    assert opened.get_session_options().intra_op_num_threads == 1
    assert opened.get_session_options() is not options
    assert opened.get_providers() == ["CPUExecutionProvider"]
    assert opened.get_provider_options() == {"CPUExecutionProvider": {}}
    assert opened.end_profiling() == ""
    assert opened.get_profiling_start_time_ns() == 0
    opened.set_providers(["CPUExecutionProvider"])
    opened.disable_fallback()
    opened.enable_fallback()
    np.testing.assert_array_equal(opened.run(None, {"x": LINE})[0], np.maximum(LINE, 0))


PROVIDERS: dict[str, tuple[Any, str | None]] = {
    "cpu": (["CPUExecutionProvider"], None),
    "empty": ([], None),
    "with options": ([("CPUExecutionProvider", {"a": 1})], None),
    "not available": (
        ["CUDAExecutionProvider", "CPUExecutionProvider"],
        "Specified provider 'CUDAExecutionProvider'",
    ),
    "unknown": (["FooExecutionProvider"], "Specified provider 'FooExecutionProvider' is not in available"),
    "twice": (
        ["CPUExecutionProvider"] * 2,
        "Duplicate provider 'CPUExecutionProvider' encountered, ignoring.",
    ),
    "no sequence": ({"a": 1}, None),
    "no name": ([3], None),
}


@pytest.mark.parametrize("case", PROVIDERS)
@pytest.mark.filterwarnings("default")
def test_providers(engine: ModuleType, case: str) -> None:
    providers, warned = PROVIDERS[case]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        opened = session(engine, "one", providers=providers)
    assert opened.get_providers() == ["CPUExecutionProvider"]
    texts = [str(warning.message) for warning in caught if issubclass(warning.category, UserWarning)]
    assert any(text.startswith(warned) for text in texts) if warned else not texts


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_unknown_provider_without_fallback(engine: ModuleType) -> None:
    kind, text = refused(engine, lambda: session(engine, "one", providers=["FooProvider"], enable_fallback=0))
    assert (kind, text) == ("RuntimeError", "Unknown Provider Type: FooProvider")
    assert refused(engine, lambda: session(engine, "one", providers=3))[0] == "TypeError"


def test_free_dimension_override(engine: ModuleType) -> None:
    options = engine.SessionOptions()
    options.add_free_dimension_override_by_name("N", 4)
    opened = session(engine, "one", options)
    assert opened.get_inputs()[0].shape == [4]
    kind, text = refused(engine, lambda: opened.run(None, {"x": LINE}))
    assert kind == "InvalidArgument"
    assert " index: 0 Got: 3 Expected: 4" in text


def test_model_config_is_read_when_asked(engine: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    proto = onnx.parser.parse_model(HEAD + MODELS["one"])
    onnx.helper.set_model_props(proto, {"ort_config": '{"session_options": {"intra_op_num_threads": 1}}'})
    data = proto.SerializeToString()
    plain = engine.InferenceSession(data).get_session_options().intra_op_num_threads
    monkeypatch.setenv("ORT_LOAD_CONFIG_FROM_MODEL", "1")
    read = engine.InferenceSession(data).get_session_options().intra_op_num_threads
    assert (plain, read) == (0, 1)


def test_ort_values(engine: ModuleType) -> None:
    data = LINE.copy()
    value = engine.OrtValue.ortvalue_from_numpy(data)
    assert (value.shape(), value.data_type(), value.element_type()) == ([3], "tensor(float)", 1)
    assert (value.device_name(), value.has_value(), value.is_tensor()) == ("cpu", True, True)
    assert np.shares_memory(value.numpy(), data)
    opened = session(engine, "one")
    (result,) = opened.run_with_ort_values(["y"], {"x": value})
    np.testing.assert_array_equal(result.numpy(), np.maximum(data, 0))
    np.testing.assert_array_equal(opened.run(None, {"x": value})[0], np.maximum(data, 0))
    value.update_inplace(np.zeros(3, np.float32))
    assert not data.any()
    assert refused(engine, lambda: value.update_inplace(np.zeros(4, np.float32)))[0] == "RuntimeError"
    assert refused(engine, lambda: engine.OrtValue.ortvalue_from_numpy([1.0]))[0] == "RuntimeError"
    assert refused(engine, lambda: engine.OrtValue.ortvalue_from_numpy(data, "cuda", 0))[0] == "RuntimeError"
    assert refused(engine, lambda: engine.OrtValue.ortvalue_from_numpy(data, "foo", 0))[0] == "Exception"
    assert engine.OrtValue.ortvalue_from_shape_and_type([2], 16).data_type() == "tensor(bfloat16)"


def test_io_binding(engine: ModuleType) -> None:
    opened = session(engine, "one")
    binding = opened.io_binding()
    binding.bind_cpu_input("x", LINE)
    binding.bind_output("y")
    opened.run_with_iobinding(binding)
    np.testing.assert_array_equal(binding.copy_outputs_to_cpu()[0], np.maximum(LINE, 0))
    target = np.full(3, 9, np.float32)
    binding.clear_binding_outputs()
    binding.bind_output("y", "cpu", 0, np.float32, [3], target.ctypes.data)
    binding.bind_input("x", "cpu", 0, np.float32, [3], LINE.ctypes.data)
    opened.run_with_iobinding(binding)
    np.testing.assert_array_equal(target, np.maximum(LINE, 0))
    binding.clear_binding_inputs()
    binding.bind_cpu_input("x", np.ones((2, 2), np.float32))
    kind, text = refused(engine, lambda: opened.run_with_iobinding(binding))
    assert kind == "RuntimeError"
    assert text.startswith("Error in execution: Invalid rank for input: x Got: 2 Expected: 1")


def test_run_async(engine: ModuleType) -> None:
    opened, done, seen = session(engine, "one"), threading.Event(), []

    def callback(results: Any, user_data: Any, error: str) -> None:
        seen.append((results, user_data, error))
        done.set()

    opened.run_async(["y"], {"x": LINE}, callback, "mine")
    assert done.wait(10)
    done.clear()
    opened.run_async(["y"], {"x": LINE.astype(np.float64)}, callback, "mine")
    assert done.wait(10)
    (good, mine, no_error), (bad, _, error) = seen
    np.testing.assert_array_equal(good[0], np.maximum(LINE, 0))
    assert (mine, no_error, list(bad)) == ("mine", "", [])
    assert error.startswith("Unexpected input data type.")
