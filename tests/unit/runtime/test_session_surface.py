"""Names, module functions, exceptions, log lines, the table of errors: everything but running."""

from __future__ import annotations

import importlib
import os
import pickle
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import sardonyx
from sardonyx import errors
from sardonyx.capi import onnxruntime_pybind11_state as api
from sardonyx.ort import logger, status
from tests.unit.runtime.programs import model

NAMES = (
    *(
        "InferenceSession",
        "SessionOptions",
        "RunOptions",
        "NodeArg",
        "ModelMetadata",
        "GraphOptimizationLevel",
    ),
    *("ExecutionMode", "ExecutionOrder", "OrtValue", "IOBinding", "OrtDevice", "__version__"),
    *("get_available_providers", "get_all_providers", "get_device", "get_version_string", "get_build_info"),
    *(
        "set_default_logger_severity",
        "set_default_logger_verbosity",
        "set_default_logger_callback",
        "set_seed",
    ),
    *(
        "disable_telemetry_events",
        "enable_telemetry_events",
        "has_collective_ops",
        "set_global_thread_pool_sizes",
    ),
)
EXCEPTIONS = (
    *(
        "Fail",
        "InvalidArgument",
        "NoSuchFile",
        "NoModel",
        "EngineError",
        "RuntimeException",
        "InvalidProtobuf",
    ),
    *(
        "ModelLoaded",
        "NotImplemented",
        "InvalidGraph",
        "EPFail",
        "ModelLoadCanceled",
        "ModelRequiresCompilation",
    ),
    *("NotFound", "DeviceReset"),
)


@pytest.fixture(params=["onnxruntime", "sardonyx"])
def engine(request: pytest.FixtureRequest) -> ModuleType:
    return importlib.import_module(request.param)


@pytest.mark.parametrize("name", NAMES)
def test_public_names_exist(engine: ModuleType, name: str) -> None:
    assert hasattr(engine, name)


def test_all_public_names_resolve() -> None:
    for name in sardonyx.__all__:
        assert getattr(sardonyx, name) is not None
    assert set(sardonyx.__all__) <= set(dir(sardonyx))
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        sardonyx.nonsense  # noqa: B018


@pytest.mark.parametrize("module", ["_pybind_state", "onnxruntime_pybind11_state"])
def test_exceptions(engine: ModuleType, module: str) -> None:
    found = importlib.import_module(f"{engine.__name__}.capi.{module}")
    for name in EXCEPTIONS:
        cls = getattr(found, name)
        assert cls.__mro__[1] is Exception
        assert cls.__module__ == f"{engine.__name__}.capi.onnxruntime_pybind11_state"


def test_paths_of_classes(engine: ModuleType) -> None:
    collection = importlib.import_module(f"{engine.__name__}.capi.onnxruntime_inference_collection")
    assert collection.InferenceSession is engine.InferenceSession
    assert issubclass(engine.InferenceSession, collection.Session)
    assert engine.capi.onnxruntime_pybind11_state.SessionOptions is engine.SessionOptions


def test_text_and_pickle_of_a_status() -> None:
    error = api.status(api.NoSuchFile, "it is gone")
    assert str(error) == "[ONNXRuntimeError] : 3 : NO_SUCHFILE : it is gone"
    copy = pickle.loads(pickle.dumps(error))
    assert (type(copy), str(copy)) == (api.NoSuchFile, str(error))


def test_module_functions(engine: ModuleType) -> None:
    assert engine.get_device() == "CPU"
    assert "CPUExecutionProvider" in engine.get_available_providers()
    assert engine.get_all_providers()[-1] == "CPUExecutionProvider"
    assert "CUDAExecutionProvider" in engine.get_all_providers()
    assert "Build Info" in engine.get_build_info()
    assert engine.get_version_string() == engine.__version__
    assert engine.disable_telemetry_events() is None
    assert engine.set_seed(3) is None
    assert engine.set_default_logger_severity(2) is None
    assert engine.set_default_logger_verbosity(0) is None
    for act in (lambda: engine.set_seed("3"), lambda: engine.set_default_logger_severity("3")):
        with pytest.raises(TypeError, match="incompatible function arguments"):
            act()
    for severity in (-1, 9):
        with pytest.raises(RuntimeError, match="Invalid logging severity"):
            engine.set_default_logger_severity(severity)


def test_provider_names_are_those_of_onnxruntime() -> None:
    assert sardonyx.get_all_providers() == importlib.import_module("onnxruntime").get_all_providers()


LINE = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{9} \[W:sardonyx:Default, \w+\.py:\d+ \w+\] careful\n"


def test_log_lines(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logger._Default, "severity", None)
    monkeypatch.delenv("SARDONYX_LOG", raising=False)
    logger.log(logger.WARNING, "careful")
    logger.log(logger.INFO, "by the way")
    assert re.fullmatch(LINE, capsys.readouterr().err)
    logger.set_default_logger_severity(3)
    logger.log(logger.WARNING, "careful")
    assert capsys.readouterr().err == ""
    logger.log(logger.WARNING, "careful", logid="mine", level=0)
    assert "[W:sardonyx:mine, " in capsys.readouterr().err


def test_log_callback(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logger._Default, "callback", None)
    told: list[tuple[object, ...]] = []
    sardonyx.set_default_logger_callback(lambda *line: told.append(line), 2)
    logger.log(logger.WARNING, "careful")
    logger.log(logger.INFO, "by the way")
    assert [(line[0], line[1], line[2], line[4]) for line in told] == [(2, "sardonyx", "Default", "careful")]
    assert capsys.readouterr().err == ""
    with pytest.raises(TypeError):
        sardonyx.set_default_logger_callback(3)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (errors.LoadError("x", kind="protobuf"), api.InvalidProtobuf),
        (errors.LoadError("x", kind="empty"), api.InvalidArgument),
        (errors.LoadError("x", kind="graph"), api.InvalidGraph),
        (errors.LoadError("x"), api.Fail),
        (errors.UnsupportedOp("x"), api.NotImplemented),
        (errors.UnsupportedOp("x", kind="unknown"), api.InvalidGraph),
        (errors.ShapeError("x"), api.Fail),
        (errors.CompileError("x"), api.RuntimeException),
        (errors.RunError("x", kind="bounds"), api.InvalidArgument),
        (errors.SardonyxError("x"), api.Fail),
    ],
)
def test_errors_of_the_engine_have_an_exception(
    error: errors.SardonyxError, expected: type[Exception]
) -> None:
    assert status.exception_class(error) is expected


def test_an_error_that_adds_a_place_keeps_its_kind() -> None:
    error = errors.LoadError("in node_3: x")
    error.__cause__ = errors.LoadError("x", kind="undefined")
    assert status.exception_class(error) is api.InvalidArgument


def test_files_that_do_not_exist() -> None:
    gone = FileNotFoundError(2, "No such file", "m.onnx")
    assert str(status.load_status(gone, "m.onnx")).startswith(
        "[ONNXRuntimeError] : 3 : NO_SUCHFILE : Load model from m.onnx failed:Load model m.onnx failed."
    )
    weights = FileNotFoundError(2, "No such file", "m.bin")
    assert isinstance(status.load_status(weights, "m.onnx"), api.Fail)


@pytest.mark.parametrize(
    ("code", "heavy"),
    [
        (
            "sardonyx.InferenceSession, sardonyx.get_device",
            "onnx onnx_ir llvmlite google.protobuf sardonyx.compiler.compile",
        ),
        ("sardonyx.InferenceSession(sys.argv[1])", "onnx onnx_ir sympy"),
    ],
)
def test_what_is_not_needed_is_not_imported(code: str, heavy: str, tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(model("a (float[N] x) => (float[N] y) { y = Softplus(x) }"))
    code = f"import sys, sardonyx; {code}\nprint(*{set(heavy.split())} & set(sys.modules))"
    variables = {**os.environ, "PYTHONPATH": str(Path(sardonyx.__file__).parents[1])}
    variables["SARDONYX_CACHE"] = str(tmp_path / "cache")
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "model.onnx")],
        capture_output=True,
        text=True,
        check=True,
        env=variables,
    )
    assert done.stdout == "\n"
