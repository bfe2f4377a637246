"""Seldom used parts of the API: both modules agree, or this one says clearly what it lacks."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import onnx
import pytest

import sardonyx
from sardonyx.capi.onnxruntime_pybind11_state import Fail
from tests.api.engines import LINE, PAIR, model, refused, session


def state(engine: ModuleType) -> Any:
    return importlib.import_module(f"{engine.__name__}.capi.onnxruntime_pybind11_state")


def test_values_of_narrow_types(engine: ModuleType) -> None:
    value = engine.OrtValue.ortvalue_from_numpy_with_onnx_type(np.ones(3, np.uint16), 16)
    assert (value.data_type(), value.element_type(), value.shape()) == ("tensor(bfloat16)", 16, [3])
    assert value.tensor_size_in_bytes() == 6
    wrong = np.ones(3, np.uint8)
    act = lambda: engine.OrtValue.ortvalue_from_numpy_with_onnx_type(wrong, 16)  # noqa: E731
    assert refused(engine, act)[0] == "RuntimeError"


def test_values_share_memory_through_dlpack(engine: ModuleType) -> None:
    data = LINE.copy()
    value = engine.OrtValue.ortvalue_from_numpy(data)
    assert np.shares_memory(np.from_dlpack(value), data)
    assert value.__dlpack_device__() == (1, 0)
    assert np.shares_memory(engine.OrtValue.from_dlpack(data).numpy(), data)
    np.testing.assert_array_equal(np.asarray(value, dtype=np.float64), data)
    value.update_inplace(engine.OrtValue.ortvalue_from_numpy(np.full(3, 7, np.float32)))
    assert data.tolist() == [7, 7, 7]
    assert not (value.is_sparse_tensor() or value.is_tensor_sequence())


def test_values_are_copied_into_each_other() -> None:
    source = sardonyx.OrtValue.ortvalue_from_numpy(LINE.copy())
    target = sardonyx.OrtValue.ortvalue_from_shape_and_type([3], np.float32)
    sardonyx.copy_tensors([source], [target])
    np.testing.assert_array_equal(target.numpy(), LINE)
    with pytest.raises(RuntimeError, match="1 sources for 0 destinations"):
        sardonyx.copy_tensors([source], [])


def test_runs_with_vectors_of_values(engine: ModuleType) -> None:
    kinds, opened = state(engine), session(engine, "two")
    feeds, fetches = kinds.OrtValueVector(), kinds.OrtValueVector()
    for array in PAIR.values():
        feeds.push_back(engine.OrtValue.ortvalue_from_numpy(array)._ortvalue)
    device = kinds.OrtDevice(kinds.OrtDevice.cpu(), kinds.OrtDevice.default_memory(), 0)
    opened.run_with_ortvaluevector(engine.RunOptions(), list(PAIR), feeds, ["sum"], fetches, [device])
    np.testing.assert_array_equal(fetches[0].numpy(), PAIR["x"] + PAIR["y"])


def test_bindings_to_values(engine: ModuleType) -> None:
    opened = session(engine, "two")
    binding = opened.io_binding()
    for name, array in PAIR.items():
        binding.bind_ortvalue_input(name, engine.OrtValue.ortvalue_from_numpy(array))
    refused_run = lambda: opened.run_with_iobinding(binding)  # noqa: E731
    kind, text = refused(engine, refused_run)
    assert (kind, text) == ("RuntimeError", "Error in execution: At least one output should be requested.")
    target = engine.OrtValue.ortvalue_from_shape_and_type([2, 3], np.float32)
    binding.bind_ortvalue_output("sum", target)
    binding.bind_output("product")
    binding.synchronize_inputs()
    opened.run_with_iobinding(binding, engine.RunOptions())
    binding.synchronize_outputs()
    np.testing.assert_array_equal(target.numpy(), PAIR["x"] + PAIR["y"])
    assert len(binding.get_outputs_as_ortvaluevector()) == len(binding.get_outputs()) == 2
    binding.clear_binding_outputs()
    for shape, dtype in (([4, 3], np.float32), ([2, 3], np.float64)):
        binding.bind_ortvalue_output("sum", engine.OrtValue.ortvalue_from_shape_and_type(shape, dtype))
        assert refused(engine, refused_run)[0] == "RuntimeError"
    other = session(engine, "two")
    assert refused(engine, lambda: other.run_with_iobinding(binding))[0] == "ValueError"


def test_memory_descriptions(engine: ModuleType) -> None:
    info = engine.OrtMemoryInfo(
        "Cpu", engine.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, engine.OrtMemType.DEFAULT
    )
    assert (info.name, info.device_id, str(info.mem_type)) == ("Cpu", 0, "OrtMemType.DEFAULT")
    config = engine.OrtArenaCfg({"max_mem": 5, "initial_chunk_size_bytes": 7})
    assert (config.max_mem, config.initial_chunk_size_bytes, config.arena_extend_strategy) == (5, 7, -1)
    assert refused(engine, lambda: engine.OrtArenaCfg({"max": 5}))[0] == "RuntimeError"
    opened = session(engine, "two")
    inputs, outputs = opened.get_input_memory_infos(), opened.get_output_memory_infos()
    assert [one.name for one in (*inputs, *outputs)] == ["Cpu"] * 4
    assert opened.get_tuning_results() == []
    assert int(engine.OrtDeviceVendorId.INTEL) == 0x8086


def tuned(**more: Any) -> list[dict[str, Any]]:
    return [{"results": {}, "validators": {}, **more}]


@pytest.mark.parametrize(
    ("results", "loose", "strict"),
    [
        ([], "", ""),
        (tuned(ep="NoExecutionProvider"), "", "RuntimeError"),
        (tuned(ep="CPUExecutionProvider"), "", "RuntimeError"),
        (tuned(), "KeyError", "KeyError"),
        ([1], "TypeError", "TypeError"),
        (None, "TypeError", "TypeError"),
    ],
)
def test_tuning_results(results: Any, loose: str, strict: str, engine: ModuleType) -> None:
    opened = session(engine, "two")
    for act, kind in (
        (lambda: opened.set_tuning_results(results), loose),
        (lambda: opened.set_tuning_results(results, error_on_invalid=True), strict),
    ):
        if kind:
            assert refused(engine, act)[0] == kind
        else:
            act()


def test_what_has_no_effect_is_looked_at_all_the_same(engine: ModuleType) -> None:
    opened = session(engine, "two")
    opened.set_ep_dynamic_options({"ep.dynamic.workload_type": "Efficient"})
    opened.release_captured_graph(3)
    assert refused(engine, lambda: opened.set_ep_dynamic_options({}))[0] == "RuntimeError"
    assert refused(engine, lambda: opened.set_ep_dynamic_options(3))[0] == "TypeError"
    assert refused(engine, lambda: opened.release_captured_graph("first"))[0] == "TypeError"


def external(folder: Path) -> tuple[Path, bytes]:
    """A model whose weights lie in another file, and the content of that file."""
    proto = onnx.load_from_string(model("fixed"))
    (weight,) = proto.graph.initializer
    array = onnx.numpy_helper.to_array(weight)
    weight.CopyFrom(onnx.numpy_helper.from_array(array, "w"))
    onnx.external_data_helper.set_external_data(weight, "weights.bin", offset=8, length=4)
    weight.ClearField("raw_data")
    path = folder / "model.onnx"
    path.write_bytes(proto.SerializeToString())
    return path, b"\0" * 8 + array.astype("<f4").tobytes()


def test_external_files_in_memory(engine: ModuleType, tmp_path: Path) -> None:
    path, content = external(tmp_path)
    options = engine.SessionOptions()
    options.log_severity_level = 4
    options.add_external_initializers_from_files_in_memory(["weights.bin"], [content], [len(content)])
    for source in (str(path), path.read_bytes()):
        (y,) = engine.InferenceSession(source, options).run(None, {"x": LINE})
        np.testing.assert_array_equal(y, 3 * LINE)
    assert refused(engine, lambda: engine.InferenceSession(str(path)))[0] == "Fail"
    short = engine.SessionOptions()
    short.log_severity_level = 4
    short.add_external_initializers_from_files_in_memory(["weights.bin"], [content], [9])
    assert refused(engine, lambda: engine.InferenceSession(str(path), short))[0] in (
        "Fail",
        "RuntimeException",
    )


def test_external_initializers_by_value(engine: ModuleType, tmp_path: Path) -> None:
    path, _ = external(tmp_path)
    options = engine.SessionOptions()
    value = engine.OrtValue.ortvalue_from_numpy(np.full(1, 5, np.float32))
    options.add_external_initializers(["w"], [value])
    (y,) = engine.InferenceSession(str(path), options).run(None, {"x": LINE})
    np.testing.assert_array_equal(y, 5 * LINE)


def test_simplified_model_is_written(engine: ModuleType, tmp_path: Path) -> None:
    options = engine.SessionOptions()
    options.log_severity_level = 4
    options.graph_optimization_level = engine.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath = str(tmp_path / "out.onnx")
    engine.InferenceSession(model("two"), options)
    onnx.checker.check_model(str(tmp_path / "out.onnx"))
    results = engine.InferenceSession(str(tmp_path / "out.onnx")).run(["sum"], PAIR)
    np.testing.assert_array_equal(results[0], PAIR["x"] + PAIR["y"])


ABSENT: dict[str, Any] = {
    "library": (lambda: sardonyx.register_execution_provider_library("a", "b"), "runs on the CPU"),
    "contexts": (lambda: sardonyx.SessionOptions().set_ep_context_data_read_func(print), "EPContext"),
}


@pytest.mark.parametrize("case", ABSENT)
def test_what_is_lacking_says_so(case: str) -> None:
    act, text = ABSENT[case]
    with pytest.raises(Fail, match=text):
        act()


def test_no_public_name_of_the_peer_is_unknown() -> None:
    peer = importlib.import_module("onnxruntime")
    inner = {"contextlib", "cuda_version", "import_capi_exception", "package_name", "version"}
    modules = {
        "capi",
        "backend",
        "datasets",
        "quantization",
        "tools",
        "transformers",
        "onnxruntime_validation",
    }
    names = {name for name in dir(peer) if not name.startswith("_")} - inner - modules
    assert [name for name in sorted(names) if not hasattr(sardonyx, name)] == []
    for kind in ("InferenceSession", "SessionOptions", "RunOptions", "OrtValue", "IOBinding", "NodeArg"):
        theirs = {name for name in dir(getattr(peer, kind)) if not name.startswith("_")}
        missing = {name for name in theirs if not hasattr(getattr(sardonyx, kind), name)}
        assert missing <= {
            "get_input_epdevices",
            "get_provider_graph_assignment_info",
            "release_captured_graph",
        }
