"""Names below the Python API, devices, providers and options that change nothing here: both modules agree."""

from __future__ import annotations

import gc
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper

import sardonyx
from sardonyx.ort import environment
from tests.api.engines import LINE, ONES, PAIR, model, refused, session
from tests.api.test_rare import external, state

DEVICES = ("cpu", "cuda", "cann", "dml", "webgpu", "gpu", "npu")
RECORD = "session.record_ep_graph_assignment_info"
FOLDER = "session.model_external_initializers_file_folder_path"


def quiet(engine: ModuleType, **entries: str) -> Any:
    options = engine.SessionOptions()
    options.log_severity_level = 4
    for key, value in entries.items():
        options.add_session_config_entry(key, value)
    return options


@pytest.mark.parametrize("name", DEVICES)
@pytest.mark.parametrize("vendor", [-1, 7])
def test_devices_have_the_same_codes(name: str, vendor: int) -> None:
    import onnxruntime

    def facts(engine: ModuleType) -> tuple[int, ...]:
        device = engine.OrtDevice.make(name, 2, vendor)
        codes = device.device_id(), device.device_type(), device.device_vendor_id(), device.device_mem_type()
        return *codes, getattr(state(engine).OrtDevice, name)()

    assert facts(sardonyx) == facts(onnxruntime)


def test_devices_by_their_codes(engine: ModuleType) -> None:
    make = state(engine).OrtDevice
    for numbers, vendor in (((1, 0, 2), 0), ((1, 0, 7, 2), 7)):
        device = make(*numbers)
        assert (device.device_type(), device.mem_type(), device.vendor_id(), device.device_id()) == (
            *(1, 0),
            *(vendor, 2),
        )


def test_memory_of_other_devices_is_only_described(engine: ModuleType) -> None:
    info = engine.OrtMemoryInfo.create_v2(
        *("Other", engine.OrtMemoryInfoDeviceType.GPU, 0xDEAD, 3),
        *(engine.OrtDeviceMemoryType.HOST_ACCESSIBLE, 64, engine.OrtAllocatorType.ORT_DEVICE_ALLOCATOR),
    )
    assert (info.name, info.device_id, info.device_vendor_id, info.mem_type.name) == (
        *("Other", 3, 0xDEAD),
        "CPU_OUTPUT",
    )
    make = engine.OrtValue.ortvalue_from_shape_and_type
    assert refused(engine, lambda: make([2], np.float32, memory_info=info))[0] == "RuntimeError"
    assert refused(engine, lambda: make([2], np.float32, "cuda", 0))[0] == "RuntimeError"
    assert refused(engine, lambda: make([2], onnx.TensorProto.STRING))[0] == "RuntimeError"


def test_capsules_become_values() -> None:
    """As builds of onnxruntime have it that are made for training."""
    kinds, data = state(sardonyx), LINE.copy()
    value = sardonyx.OrtValue.ortvalue_from_numpy(data)
    for capsule in (value._ortvalue.to_dlpack(), value.__dlpack__(), data.__dlpack__()):
        assert not kinds.is_dlpack_uint8_tensor(capsule)
        again = kinds.OrtValue.from_dlpack(capsule, False)
        assert again.data_ptr() == data.ctypes.data
        np.testing.assert_array_equal(again.numpy(), data)
    flags = np.array([1, 0], np.uint8)
    assert kinds.is_dlpack_uint8_tensor(flags.__dlpack__())
    assert kinds.OrtValue.from_dlpack(flags.__dlpack__(), True).numpy().dtype == np.bool_
    for shape in ((0,), (1, 8, 0, 128), (4, 0)):
        empty = kinds.OrtValue.from_dlpack(np.zeros(shape, np.float32).__dlpack__(), False)
        assert list(empty.shape()) == list(shape)


def test_native_sessions_take_feeds_first(engine: ModuleType) -> None:
    kinds, opened = state(engine), session(engine, "two")
    value = {name: engine.OrtValue.ortvalue_from_numpy(array)._get_c_value() for name, array in PAIR.items()}
    results = opened._sess.run_with_ort_values(value, ["sum"], engine.RunOptions())
    assert isinstance(results, kinds.OrtValueVector)
    np.testing.assert_array_equal(results[0].numpy(), 3 * ONES)
    assert [arg.name for arg in opened._sess.inputs_meta] == ["x", "y"]
    assert [arg.name for arg in opened._sess.outputs_meta] == ["sum", "product"]
    assert opened._sess.model_meta.graph_name == "g"


def test_native_bindings_take_devices(engine: ModuleType) -> None:
    kinds, opened = state(engine), session(engine, "one")
    cpu = kinds.OrtDevice(kinds.OrtDevice.cpu(), kinds.OrtDevice.default_memory(), 0)
    value = kinds.OrtValue.ortvalue_from_numpy(LINE, cpu)
    target = engine.OrtValue.ortvalue_from_shape_and_type([3], np.float32)
    for memory in ((), (np.float32, LINE.shape, target.data_ptr())):
        binding = kinds.SessionIOBinding(opened._sess)
        binding.bind_input("x", cpu, np.float32, LINE.shape, value.data_ptr())
        binding.bind_output("y", cpu, *memory)
        opened._sess.run_with_iobinding(binding, None)
        assert isinstance(binding.get_outputs(), kinds.OrtValueVector)
        np.testing.assert_array_equal(binding.get_outputs()[0].numpy(), np.maximum(LINE, 0))
    np.testing.assert_array_equal(target.numpy(), np.maximum(LINE, 0))


@pytest.mark.parametrize("kind", [onnx.TensorProto.STRING, np.dtype("U1"), np.dtype("S1"), np.dtype(object)])
def test_texts_have_no_address(engine: ModuleType, kind: Any) -> None:
    binding = session(engine, "text").io_binding()
    text = refused(engine, lambda: binding.bind_input("x", "cpu", 0, kind, [1], LINE.ctypes.data))
    assert text[0] == "RuntimeError"
    assert "Only binding non-string Tensors" in text[1]


def test_every_input_has_a_device(engine: ModuleType) -> None:
    opened = session(engine, "two")
    assert [device.ep_name for device in opened.get_input_epdevices()] == ["CPUExecutionProvider"] * 2
    (device,) = (d for d in engine.get_ep_devices() if d.ep_name == "CPUExecutionProvider")
    assert device.device.type == engine.OrtHardwareDeviceType.CPU
    assert device.device.vendor_id == state(engine).get_hardware_devices()[0].vendor_id


def test_what_speaks_against_a_provider(engine: ModuleType) -> None:
    kinds = state(engine)
    (device,) = kinds.get_hardware_devices()
    ask = kinds.get_hardware_device_ep_incompatibility_details
    assert ask("CPUExecutionProvider", device)["reasons_bitmask"] == 0
    assert refused(engine, lambda: ask("", device))[0] == "InvalidArgument"
    suits = kinds.get_model_compatibility_for_ep_devices
    assert suits(engine.get_ep_devices()[:1], "any").value == 0
    assert refused(engine, lambda: suits([], "any"))[0] == "RuntimeError"
    assert refused(engine, lambda: suits(engine.get_ep_devices()[:1], None))[0] == "TypeError"


def test_models_tell_whom_they_were_compiled_for(engine: ModuleType, tmp_path: Path) -> None:
    kinds, proto = state(engine), onnx.load_from_string(model("one"))
    helper.set_model_props(proto, {"ep_compatibility_info.Some": "version 1"})
    data, path = proto.SerializeToString(), tmp_path / "model.onnx"
    path.write_bytes(data)
    of_bytes, of_file = kinds.get_compatibility_info_from_model_bytes, kinds.get_compatibility_info_from_model
    assert (of_bytes(data, "Some"), of_bytes(data, "Other")) == ("version 1", None)
    assert of_file(str(path), "Some") == "version 1"
    for act in (
        lambda: of_bytes(b"", "Some"),
        lambda: of_bytes(b"garbage", "Some"),
        lambda: of_bytes(data, ""),
        lambda: of_file(str(tmp_path / "none.onnx"), "Some"),
    ):
        assert refused(engine, act)[0] == "RuntimeError"


def test_nodes_and_their_provider(engine: ModuleType) -> None:
    options = quiet(engine, **{RECORD: "1", "optimization.disable_specified_optimizers": ""})
    opened = engine.InferenceSession(model("gather"), options)
    (part,) = opened.get_provider_graph_assignment_info()
    (node,) = part.get_nodes()
    assert (part.ep_name, node.domain, node.op_type, node.name) == (
        *("CPUExecutionProvider", ""),
        *("Gather", "pick"),
    )
    act = session(engine, "gather").get_provider_graph_assignment_info
    assert refused(engine, act)[0] == "Fail"


def test_providers_that_no_engine_has(engine: ModuleType) -> None:
    opened = session(engine, "one")
    with pytest.warns(UserWarning, match="Specified provider 'Unheard'"):
        kind, text = refused(engine, lambda: opened.set_providers(["Unheard"]))
    assert kind == "RuntimeError"
    assert "Unknown Provider Type: Unheard" in text
    gc.collect()


def test_a_profile_that_the_model_asks_for(
    engine: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    proto = onnx.load_from_string(model("one"))
    helper.set_model_props(proto, {"ort_config": '{"session_options": {"enable_profiling": 1}}'})
    monkeypatch.setenv("ORT_LOAD_CONFIG_FROM_MODEL", "1")
    monkeypatch.chdir(tmp_path)
    opened = engine.InferenceSession(proto.SerializeToString(), quiet(engine))
    assert opened.get_session_options().enable_profiling
    opened.run(None, {"x": LINE})
    assert Path(opened.end_profiling()).stat().st_size > 0


def test_the_folder_of_external_data_may_be_named(engine: ModuleType, tmp_path: Path) -> None:
    """The named one counts, even if the model's own has such a file."""
    path, content = external(tmp_path)
    (tmp_path / "weights.bin").write_bytes(content)
    other = tmp_path / "other"
    other.mkdir()
    (other / "weights.bin").write_bytes(b"\0" * 8 + np.float32(7).tobytes())
    for source in (str(path), path.read_bytes()):
        opened = engine.InferenceSession(source, quiet(engine, **{FOLDER: str(other)}))
        np.testing.assert_array_equal(opened.run(None, {"x": LINE})[0], 7 * LINE)


def sparse_constant() -> bytes:
    values = onnx.numpy_helper.from_array(np.array([1, 2, 3], np.float32), "w")
    places = onnx.numpy_helper.from_array(np.array([2, 3, 5]), "")
    y = onnx.ValueInfoProto(name="w")
    y.type.sparse_tensor_type.elem_type = onnx.TensorProto.FLOAT
    for _ in range(2):
        y.type.sparse_tensor_type.shape.dim.add().dim_value = 3
    sparse = [helper.make_sparse_tensor(values, places, [3, 3])]
    graph = helper.make_graph([], "g", [], [y], sparse_initializer=sparse)
    return helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8
    ).SerializeToString()


def test_sparse_results_are_sparse(engine: ModuleType) -> None:
    opened = engine.InferenceSession(sparse_constant(), quiet(engine))
    (value,) = opened.run_with_ort_values(["w"], {})
    plain = opened.run(None, {}) if engine is sardonyx else ()
    for tensor in (value.as_sparse_tensor(), *plain):
        assert tensor.dense_shape() == [3, 3]
        assert tensor.values().tolist() == [1, 2, 3]
        assert tensor.as_coo_view().indices().tolist() == [2, 3, 5]
        assert not tensor.values().flags.writeable or engine is not sardonyx
        assert not tensor.as_coo_view().indices().flags.writeable or engine is not sardonyx
    if engine is sardonyx:
        assert opened.get_outputs()[0].type == "sparse_tensor(float)"


def test_sparse_texts(engine: ModuleType) -> None:
    make, cpu = engine.SparseTensor.sparse_coo_from_numpy, engine.OrtDevice.make("cpu", 0)
    tensor = make([9], np.array(["a", "bc"]), np.array([1, 3]), cpu)
    assert tensor.data_type() == "sparse_tensor(string)"
    assert list(tensor.values()) == ["a", "bc"]


NAMED = {
    "Relu(x)": ["N", "M"],
    "Gather<axis = 1>(x, i)": ["N", "K"],
    "Transpose<perm = [1, 0]>(x)": ["M", "N"],
    "Concat<axis = 1>(x, x)": ["N", None],
    "GatherElements<axis = 0>(x, j)": ["P", "M"],
    "MatMul(x, w)": ["N", 4],
    "ReduceSum<keepdims = 0>(x)": [],
}


@pytest.mark.parametrize("node", NAMED)
def test_names_of_sizes_survive(engine: ModuleType, node: str) -> None:
    text = f"""<ir_version: 8, opset_import: ["" : 17]>
        g (float[N, M] x, int64[K] i, int64[P, M] j, float[M, 4] w) => (float y) {{ y = {node} }}"""
    proto = onnx.parser.parse_model(text)
    proto.graph.output[0].type.tensor_type.ClearField("shape")
    opened = engine.InferenceSession(proto.SerializeToString(), quiet(engine))
    assert opened.get_outputs()[0].shape == NAMED[node]


def test_denormals_become_zeros_if_asked_for() -> None:
    x = np.array([1e-39, -1e-45, 1], np.float32)
    for value, expected in (("0", x + x), ("1", np.array([0, 0, 2], np.float32))):
        options = quiet(sardonyx, **{"session.set_denormal_as_zero": value})
        text = '<ir_version: 8, opset_import: ["" : 17]> g (float[N] x) => (float[N] y) { y = Add(x, x) }'
        opened = sardonyx.InferenceSession(onnx.parser.parse_model(text).SerializeToString(), options)
        np.testing.assert_array_equal(opened.run(None, {"x": x})[0], expected)


def test_threads_of_ones_own_contradict_common_ones() -> None:
    sardonyx.set_global_thread_pool_sizes(2, 2)
    try:
        with pytest.raises(RuntimeError, match="use_per_session_threads must be false"):
            session(sardonyx, "one")
        options = quiet(sardonyx)
        options.use_per_session_threads = False
        sardonyx.InferenceSession(model("one"), options).run(None, {"x": LINE})
        assert environment.global_threads() == 2
    finally:
        sardonyx.set_global_thread_pool_sizes(0, 0)
    session(sardonyx, "one").run(None, {"x": LINE})


CLASSES = ("InferenceSession", "IOBinding", "OrtValue", "RunOptions", "SessionOptions", "SparseTensor")


@pytest.mark.parametrize("name", CLASSES)
def test_classes_have_all_methods(name: str) -> None:
    import onnxruntime

    theirs = {member for member in dir(getattr(onnxruntime, name)) if not member.startswith("_")}
    assert theirs <= set(dir(getattr(sardonyx, name)))


def test_captured_graphs_are_released(engine: ModuleType) -> None:
    opened = session(engine, "one")
    for numbers in ((), (0,), (7,)):
        assert opened.release_captured_graph(*numbers) is None
