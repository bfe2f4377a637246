"""The same use and misuse of both modules: equal values, equal exception classes, equal message prefixes."""

from __future__ import annotations

import importlib
from collections import OrderedDict, UserDict
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import onnx
import pytest

from tests.api.engines import LINE, ONES, PAIR, refused, session

Act = Callable[[ModuleType, Any], Any]


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
    pytest.importorskip("sardonyx.compiler.compile")
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
