"""Sessions, OrtValues and bindings of both modules behave alike."""

from __future__ import annotations

import threading
import warnings
from types import ModuleType
from typing import Any

import numpy as np
import onnx
import pytest

from tests.api.engines import HEAD, LINE, MODELS, refused, session


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


@pytest.mark.parametrize("kind", ["datetime64[s]", "longdouble", "V3", 0, 99])
def test_ort_values_of_no_type_of_onnx(engine: ModuleType, kind: str | int) -> None:
    made = engine.OrtValue.ortvalue_from_shape_and_type
    assert refused(engine, lambda: made([2], kind if isinstance(kind, int) else np.dtype(kind)))[0] == (
        "RuntimeError"
    )
    if isinstance(kind, str):
        filled = np.ones(2, kind)
        assert refused(engine, lambda: engine.OrtValue.ortvalue_from_numpy(filled))[0] == "RuntimeError"


def test_an_initializer_is_given_once(engine: ModuleType) -> None:
    options, value = engine.SessionOptions(), engine.OrtValue.ortvalue_from_numpy(LINE)
    for give in (
        lambda: options.add_initializer("w", value),
        lambda: options.add_external_initializers(["v"], [value]),
    ):
        give()
        kind, text = refused(engine, give)
        assert kind == "RuntimeError"
        assert "An OrtValue for this name has already been added: " in text


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
