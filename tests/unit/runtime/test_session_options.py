"""SessionOptions, RunOptions and enumerations behave as in onnxruntime, and can be copied."""

from __future__ import annotations

import copy
import importlib
import pickle
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import sardonyx
from sardonyx.ort.enums import GraphOptimizationLevel
from sardonyx.ort.options import SessionOptions

FIELDS = (
    *("enable_cpu_mem_arena", "enable_mem_pattern", "enable_mem_reuse", "enable_profiling", "execution_mode"),
    *("execution_order", "graph_optimization_level", "inter_op_num_threads", "intra_op_num_threads"),
    *(
        "log_severity_level",
        "log_verbosity_level",
        "logid",
        "optimized_model_filepath",
        "profile_file_prefix",
    ),
    *("use_deterministic_compute", "use_per_session_threads"),
)
RUN_FIELDS = (
    "log_severity_level",
    "log_verbosity_level",
    "logid",
    "only_execute_path_to_fetches",
    "terminate",
)
ENUMS = ("GraphOptimizationLevel", "ExecutionMode", "ExecutionOrder")


@pytest.fixture(params=["onnxruntime", "sardonyx"])
def engine(request: pytest.FixtureRequest) -> ModuleType:
    return importlib.import_module(request.param)


def plain(value: Any) -> Any:
    return repr(value) if type(value).__name__ in ENUMS else value


@pytest.mark.parametrize("kind", ["SessionOptions", "RunOptions"])
def test_defaults_are_those_of_onnxruntime(kind: str) -> None:
    peer = importlib.import_module("onnxruntime")
    names = FIELDS if kind == "SessionOptions" else RUN_FIELDS
    ours, theirs = getattr(sardonyx, kind)(), getattr(peer, kind)()
    assert {n: plain(getattr(ours, n)) for n in names} == {n: plain(getattr(theirs, n)) for n in names}


@pytest.mark.parametrize(
    ("name", "value", "kept"),
    [
        ("intra_op_num_threads", -3, -3),
        ("intra_op_num_threads", True, 1),
        ("intra_op_num_threads", np.int64(3), 3),
        ("enable_profiling", 1, True),
        ("enable_profiling", None, False),
        ("enable_mem_pattern", np.bool_(False), False),
        ("logid", b"abc", "abc"),
        ("log_severity_level", 7, 7),
        ("profile_file_prefix", "p", "p"),
    ],
)
def test_assignments(engine: ModuleType, name: str, value: Any, kept: Any) -> None:
    options = engine.SessionOptions()
    setattr(options, name, value)
    assert getattr(options, name) == kept
    assert type(getattr(options, name)) is type(kept)


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("graph_optimization_level", 99, TypeError),
        ("graph_optimization_level", None, TypeError),
        ("execution_mode", 0, TypeError),
        ("execution_order", 1, TypeError),
        ("intra_op_num_threads", 2.0, TypeError),
        ("intra_op_num_threads", "2", TypeError),
        ("intra_op_num_threads", 2**40, TypeError),
        ("intra_op_num_threads", None, TypeError),
        ("enable_profiling", "x", TypeError),
        ("logid", 3, TypeError),
        ("no_such_field", 3, AttributeError),
    ],
)
def test_refused_assignments(engine: ModuleType, name: str, value: Any, error: type[Exception]) -> None:
    with pytest.raises(
        error, match="incompatible function arguments" if error is TypeError else "no attribute"
    ):
        setattr(engine.SessionOptions(), name, value)


def test_config_entries(engine: ModuleType, capfd: pytest.CaptureFixture[str]) -> None:
    engine.set_default_logger_severity(2)
    options = engine.SessionOptions()
    options.add_session_config_entry("a", "b")
    assert options.get_session_config_entry("a") == "b"
    options.add_session_config_entry("a", "c")
    assert options.get_session_config_entry("a") == "c"
    assert "Config with key [a] already exists with value [b]" in capfd.readouterr().err
    with pytest.raises(RuntimeError, match="SessionOptions does not have configuration with key: nope"):
        options.get_session_config_entry("nope")
    for key in ("", "a" * 1025):
        with pytest.raises(RuntimeError, match="Config key is empty or longer than maximum length 1024"):
            options.add_session_config_entry(key, "1")
    with pytest.raises(TypeError, match="incompatible function arguments"):
        options.add_session_config_entry("a", 1)
    run = engine.RunOptions()
    run.add_run_config_entry("a", "b")
    assert run.get_run_config_entry("a") == "b"
    with pytest.raises(RuntimeError, match="RunOptions does not have configuration with key: nope"):
        run.get_run_config_entry("nope")


def test_other_methods(engine: ModuleType) -> None:
    options = engine.SessionOptions()
    options.add_free_dimension_override_by_name("N", 3)
    options.add_free_dimension_override_by_denotation("DATA_BATCH", 3)
    with pytest.raises(TypeError):
        options.add_free_dimension_override_by_name("N", "3")
    assert not options.has_providers()
    options.add_provider("CPUExecutionProvider", {})
    assert options.has_providers()
    with pytest.raises(RuntimeError, match="Unknown Provider Type: FooExecutionProvider"):
        options.add_provider("FooExecutionProvider", {})
    api = importlib.import_module(f"{engine.__name__}.capi.onnxruntime_pybind11_state")
    with pytest.raises(api.InvalidArgument, match="Failed to add provider of type 'CUDAExecutionProvider'"):
        options.add_provider("CUDAExecutionProvider", {})
    with pytest.raises(api.Fail, match="Failed to load library /no/such.so with error"):
        options.register_custom_ops_library("/no/such.so")
    with pytest.raises(RuntimeError, match="must be an OrtValue"):
        options.add_initializer("w", 3)


@pytest.mark.parametrize("name", ENUMS)
def test_enumerations_are_those_of_onnxruntime(name: str) -> None:
    peer = importlib.import_module("onnxruntime")
    ours, theirs = getattr(sardonyx, name), getattr(peer, name)
    assert {n: int(m) for n, m in ours.__members__.items()} == {
        n: int(m) for n, m in theirs.__members__.items()
    }
    assert [repr(m) for m in ours.__members__.values()] == [repr(m) for m in theirs.__members__.values()]


def test_manners_of_enumerations(engine: ModuleType) -> None:
    levels = engine.GraphOptimizationLevel
    level = levels.ORT_ENABLE_ALL
    assert (level.name, level.value, int(level), hash(level)) == ("ORT_ENABLE_ALL", 99, 99, 99)
    assert str(level) == "GraphOptimizationLevel.ORT_ENABLE_ALL"
    assert level == levels(99) == 99
    assert level != levels.ORT_ENABLE_BASIC
    assert repr(levels(5)) == "<GraphOptimizationLevel.???: 5>"
    assert pickle.loads(pickle.dumps(level)) == level
    assert [0, 1][engine.ExecutionMode.ORT_PARALLEL] == 1
    for misuse in (lambda: list(levels), lambda: level < levels.ORT_ENABLE_BASIC, lambda: levels("a")):
        with pytest.raises(TypeError):
            misuse()
    with pytest.raises(AttributeError):
        level.value = 3


def test_options_can_be_copied_and_pickled() -> None:
    options = SessionOptions()
    options.intra_op_num_threads = 3
    options.graph_optimization_level = GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.add_session_config_entry("sardonyx.precision", "strict")
    options.add_free_dimension_override_by_name("N", 4)
    for other in (copy.copy(options), copy.deepcopy(options), pickle.loads(pickle.dumps(options))):
        assert other.intra_op_num_threads == 3
        assert other.graph_optimization_level == GraphOptimizationLevel.ORT_ENABLE_BASIC
        assert other.get_session_config_entry("sardonyx.precision") == "strict"
        other.intra_op_num_threads = 5
        other.add_session_config_entry("other", "1")
        assert options.intra_op_num_threads == 3
        with pytest.raises(RuntimeError):
            options.get_session_config_entry("other")
