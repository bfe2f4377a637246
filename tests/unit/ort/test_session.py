"""Sessions from birth to death: options, threads, pickling, profiles, memory."""

from __future__ import annotations

import gc
import importlib
import json
import pickle
import queue
import re
import threading
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

import sardonyx
from sardonyx.capi.onnxruntime_pybind11_state import Fail, InvalidArgument, ModelLoadCanceled
from sardonyx.ort import logger
from sardonyx.ort.device import OrtDevice
from sardonyx.ort.options import SessionOptions
from sardonyx.ort.ortvalue import OrtValue
from sardonyx.ort.session import InferenceSession, Session
from sardonyx.ort.session_config import compile_options

pytest.importorskip("sardonyx.compiler.compile")

TEXT = """
<ir_version: 8, opset_import: ["" : 17]>
g (float[N, 3] x) => (float[N, 3] y) <float[3] w = {1, 2, 3}> { h = Mul(x, w)  y = Relu(h) }
"""
X = np.array([[1, -1, 2]], np.float32)
Y = np.array([[1, 0, 6]], np.float32)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "model.onnx"
    onnx.save(onnx.parser.parse_model(TEXT), file)
    return file


def test_path_and_bytes(path: Path) -> None:
    for source in (path, str(path), path.read_bytes()):
        session = InferenceSession(source)
        np.testing.assert_array_equal(session.run(["y"], {"x": X})[0], Y)
    assert session._model_bytes == path.read_bytes()
    assert session._model_path is None


@pytest.mark.parametrize("precision", ["fp32", "strict", "bf16"])
def test_precisions(path: Path, precision: str) -> None:
    options = sardonyx.SessionOptions()
    options.add_session_config_entry("sardonyx.precision", precision)
    for session in (
        InferenceSession(path, precision=precision),
        InferenceSession(path, options),
    ):
        np.testing.assert_allclose(session.run(None, {"x": X})[0], Y, rtol=0.01)


def test_wrong_precision(path: Path) -> None:
    with pytest.raises(ValueError, match="precision='fast': expected one of fp32, strict, bf16"):
        InferenceSession(path, precision="fast")


def test_options_reach_the_compiler() -> None:
    options = SessionOptions()
    options.intra_op_num_threads = 3
    options.add_session_config_entry("sardonyx.fallback", "error")
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_free_dimension_override_by_name("N", 4)
    options.add_initializer("w", OrtValue.ortvalue_from_numpy(np.ones(3, np.float32)))
    chosen = compile_options(options, "strict")
    assert (chosen.threads, chosen.fallback, chosen.spin_us, chosen.precision) == (3, "error", 0, "strict")
    assert (chosen.dims, chosen.level) == ({"N": 4}, 99)
    assert chosen.initializers["w"].tolist() == [1, 1, 1]
    assert chosen.code_key() != compile_options(SessionOptions(), "strict").code_key()


def test_deterministic_compute_is_strict(capsys: pytest.CaptureFixture[str]) -> None:
    options = SessionOptions()
    options.use_deterministic_compute = True
    assert compile_options(options, None).precision == "strict"
    assert compile_options(options, "bf16").precision == "bf16"
    options.add_session_config_entry("sardonyx.precision", "fp32")
    assert compile_options(options, None).precision == "fp32"
    assert capsys.readouterr().err == ""
    options.add_session_config_entry("sardonyx.precison", "fp32")
    compile_options(options, None)
    assert "The config entry sardonyx.precison is not an option" in capsys.readouterr().err


def test_initializers_from_outside(path: Path) -> None:
    options = SessionOptions()
    options.add_initializer("w", OrtValue.ortvalue_from_numpy(np.full(3, 5, np.float32)))
    np.testing.assert_array_equal(
        InferenceSession(path, options).run(None, {"x": X})[0], np.maximum(X * 5, 0)
    )


@pytest.mark.parametrize("name", ["x", "w", "h", "y", "nobody"])
@pytest.mark.parametrize("way", ["input", "overridden"])
def test_initializers_of_other_names_change_nothing(name: str, way: str) -> None:
    """What is an input that is fed, or computed, stays that, as in onnxruntime."""
    text = """<ir_version: 8, opset_import: ["" : 17]> g (float[3] x, float[3] w) => (float[3] y)
        {} {{ h = Mul(x, w) y = Neg(h) }}"""
    default = "<float[3] w = {4, 4, 4}>" if way == "overridden" else ""
    source = onnx.parser.parse_model(text.format(default)).SerializeToString()
    feeds = {"x": np.float32([1, 2, 3]), "w": np.float32([5, 6, 7])}
    for api in (sardonyx, importlib.import_module("onnxruntime")):
        options = api.SessionOptions()
        options.log_severity_level = 3
        value = api.OrtValue.ortvalue_from_numpy(np.full(3, 9, np.float32))
        options.add_initializer(name, value)
        (y,) = api.InferenceSession(source, options).run(None, feeds)
        np.testing.assert_array_equal(y, [-5, -12, -21])


def test_sizes_nested_too_deep_are_said_so_and_numbers_help() -> None:
    steps = "".join(
        f"m{n} = Mul(d{n}, three) a{n} = Add(m{n}, one) q{n} = Div(a{n}, four) d{n + 1} = Max(q{n}, one) "
        for n in range(400)
    )
    text = f"""<ir_version: 8, opset_import: ["" : 17]> g (float[N] x) => (float[M] y)
        <int64[1] one = {{1}}, int64[1] three = {{3}}, int64[1] four = {{4}}, float[1] v = {{1}}>
        {{ d0 = Shape(x) {steps} y = Expand(v, d400) }}"""
    source = onnx.parser.parse_model(text).SerializeToString()
    with pytest.raises(Fail, match="sizes are computed from each other in too many steps; fix"):
        InferenceSession(source)
    options = SessionOptions()
    options.add_free_dimension_override_by_name("N", 100)
    (y,) = InferenceSession(source, options).run(None, {"x": np.zeros(100, np.float32)})
    assert y.shape == (1,)


def test_sessions_are_picklable(path: Path) -> None:
    options = SessionOptions()
    options.intra_op_num_threads = 1
    for source in (path, path.read_bytes()):
        session = InferenceSession(source, options, precision="strict")
        copy = pickle.loads(pickle.dumps(session))
        np.testing.assert_array_equal(copy.run(None, {"x": X})[0], Y)
        assert copy.get_session_options().intra_op_num_threads == 1
        assert copy._precision == "strict"


def test_subclasses_may_wrap_run_and_pickle(path: Path) -> None:
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(Doubling(path))).run(None, {"x": X})[0], 2 * Y)


class Doubling(InferenceSession):
    def run(self, *args: Any, **kwargs: Any) -> list[Any]:
        return [2 * value for value in super().run(*args, **kwargs)]


def test_runs_from_many_threads(path: Path) -> None:
    session = InferenceSession(path)
    wrong: list[object] = []

    def work(seed: int) -> None:
        rng = np.random.default_rng(seed)
        for _ in range(50):
            x = rng.normal(size=(rng.integers(1, 9), 3)).astype(np.float32)
            (y,) = session.run(None, {"x": x})
            if not np.array_equal(y, np.maximum(x * np.array([1, 2, 3], np.float32), 0)):
                wrong.append(x)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_a_session_dies_with_its_last_name(path: Path) -> None:
    session = InferenceSession(path)
    session.run(None, {"x": X})
    watch = weakref.ref(session)
    gc.disable()
    try:
        del session
        assert watch() is None
    finally:
        gc.enable()


def test_profiles(path: Path, tmp_path: Path) -> None:
    options = SessionOptions()
    options.enable_profiling = True
    options.profile_file_prefix = str(tmp_path / "profile")
    session = InferenceSession(path, options)
    assert session.get_profiling_start_time_ns() > 0
    session.run(None, {"x": X})
    file = session.end_profiling()
    events = json.loads(Path(file).read_text(encoding="utf-8"))
    session_events = [event["name"] for event in events if event["cat"] == "Session"]
    assert session_events == ["model_loading_uri", "session_initialization", "model_run"]
    assert any(event["name"].endswith("_kernel_time") for event in events if event["cat"] == "Node")
    assert {"cat", "pid", "tid", "dur", "ts", "ph", "args"} <= set(events[0])
    assert session.end_profiling() == ""
    np.testing.assert_array_equal(session.run(None, {"x": X})[0], Y)


BRANCHES = """
<ir_version: 8, opset_import: ["" : 17]>
g (float[N, 3] x, int64 n, bool c) => (float[N, 3] y, float[?] z) <bool go = {1}> {
    [loop] y = Loop(n, go, x) <body = b (int64 i, bool k, float[N, 3] p) => (bool d, float[N, 3] q) {
        d = Identity(k)  [bend] t = Tanh(p)  [norm] q = Softmax(t)
    }>
    [if] z = If (c) <
        then_branch = t () => (float[?] r) { [sum] r = ReduceSum<keepdims = 0>(x) },
        else_branch = e () => (float[?] s) { [most] s = ReduceMax<keepdims = 0>(x) }
    >
}
"""


def test_a_profile_names_nodes_and_operators_of_what_was_run(tmp_path: Path) -> None:
    options = SessionOptions()
    options.enable_profiling = True
    options.profile_file_prefix = str(tmp_path / "profile")
    session = InferenceSession(onnx.parser.parse_model(BRANCHES).SerializeToString(), options)
    session.run(None, {"x": X, "n": np.array(2), "c": np.array(True)})
    events = json.loads(Path(session.end_profiling()).read_text(encoding="utf-8"))
    nodes = {event["name"]: event["args"]["op_name"] for event in events if event["cat"] == "Node"}
    assert nodes == {"norm+bend_kernel_time": "Softmax+Tanh", "sum_kernel_time": "ReduceSum"}


def test_cancelled_load(path: Path) -> None:
    options = SessionOptions()
    options.set_load_cancellation_flag(True)
    with pytest.raises(ModelLoadCanceled):
        InferenceSession(path, options)


def test_options_of_the_wrong_kind(path: Path) -> None:
    with pytest.raises(TypeError, match="sess_options must be SessionOptions or None, got int"):
        InferenceSession(path, 3)  # type: ignore[arg-type]


def test_the_report_explains(path: Path) -> None:
    session = InferenceSession(path)
    assert re.match(r"\d+ kernels?, 0 operators outside native code", session.explain())
    assert json.loads(json.dumps(session.report.as_json()))["kernels"]


def test_a_failed_run_is_logged_and_the_session_lives_on(capsys: pytest.CaptureFixture[str]) -> None:
    graph = "g (float[N] x, int64[M] i) => (float[M] y) { y = Gather(x, i) }"
    proto = onnx.parser.parse_model(f'<ir_version: 8, opset_import: ["" : 17]> {graph}')
    session = InferenceSession(proto.SerializeToString())
    x = np.arange(5, dtype=np.float32)
    with pytest.raises(InvalidArgument):
        session.run(None, {"x": x, "i": np.array([7])})
    assert "[E:sardonyx:" in capsys.readouterr().err
    assert session.run(None, {"x": x, "i": np.array([4])})[0].tolist() == [4]


def test_compiling_for_long_is_told_once(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SARDONYX_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("sardonyx.store.loader._SLOW_SECONDS", 0.0)
    monkeypatch.setattr(logger._Default, "callback", None)
    told: list[str] = []
    sardonyx.set_default_logger_callback(lambda *line: told.append(line[4]), 2)
    for _ in range(2):
        InferenceSession(path)
    assert [line.startswith(f"Compiling {path} takes more than") for line in told] == [True]


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("", "the model path is empty"),
        (3, "Unable to load from type '<class 'int'>'"),
        (
            onnx.ModelProto(),
            r"Unable to load from .*; give a path, or bytes as those of .*SerializeToString\(\)",
        ),
    ],
)
def test_what_is_no_model_is_refused(source: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        InferenceSession(source)


@pytest.mark.parametrize("feeds", [None, [np.zeros((1, 3), np.float32)]])
def test_feeds_that_are_no_mapping_are_told_what_they_must_be(feeds: Any, path: Path) -> None:
    told = r"no attribute 'keys': input_feed must be a dict of values by the names of inputs \(x\)"
    with pytest.raises(AttributeError, match=told):
        InferenceSession(path).run(None, feeds)


@pytest.mark.parametrize("code", [lambda p: p, lambda p: p.read_bytes()], ids=["a file", "bytes"])
def test_every_description_is_of_the_model(path: Path, code: Any) -> None:
    session = InferenceSession(code(path))
    assert [(i.name, i.type, i.shape) for i in session.get_inputs()] == [("x", "tensor(float)", ["N", 3])]
    assert [o.name for o in session.get_outputs()] == ["y"]
    assert session.get_overridable_initializers() == []
    assert session.get_modelmeta().graph_name == "g"
    assert [i.name for i in session.get_input_memory_infos()] == ["Cpu"]
    assert len(session.get_output_memory_infos()) == len(session.get_input_epdevices()) == 1
    assert session.get_providers() == ["CPUExecutionProvider"]
    assert session.get_provider_options() == {"CPUExecutionProvider": {}}
    assert session.get_tuning_results() == []
    assert session.get_profiling_start_time_ns() == 0
    assert session.end_profiling() == ""
    with pytest.raises(Exception, match=r"'session\.record_ep_graph_assignment_info' must be set to \"1\""):
        session.get_provider_graph_assignment_info()


def test_values_by_position_are_appended(path: Path) -> None:
    session, fetched = InferenceSession(path), [OrtValue.ortvalue_from_numpy(X)]
    x = OrtValue.ortvalue_from_numpy(X)
    session.run_with_ortvaluevector(None, ["x"], [x], ["y"], fetched, [OrtDevice.make("cpu", 0)])
    assert [value.numpy().tolist() for value in fetched] == [X.tolist(), Y.tolist()]
    with pytest.raises(ValueError, match="shorter"):
        session.run_with_ortvaluevector(None, ["x"], [], ["y"], fetched, [])


def test_a_binding_belongs_to_its_session(path: Path) -> None:
    session, other = InferenceSession(path), InferenceSession(path)
    binding = session.io_binding()
    with pytest.raises(ValueError, match="with the session that created it"):
        other.run_with_iobinding(binding)
    binding.bind_cpu_input("x", X.astype(np.float64))
    binding.bind_output("y")
    with pytest.raises(RuntimeError, match="^Error in execution: Unexpected input data type"):
        session.run_with_iobinding(binding)


def test_a_run_in_the_background_tells_its_results_or_its_error(path: Path) -> None:
    session, told = InferenceSession(path), queue.SimpleQueue[tuple[Any, ...]]()
    for feed in (X, X.astype(np.float64)):
        session.run_async(None, {"x": feed}, lambda *answer: told.put(answer), "mine")
    (y,), given, error = told.get(timeout=30)
    assert (y.tolist(), given, error) == (Y.tolist(), "mine", "")
    results, _, error = told.get(timeout=30)
    assert results == []
    assert error.startswith("Unexpected input data type")
    with pytest.raises(ValueError, match="x"):
        session.run_async(None, {}, lambda *_: None, None)


def test_a_pickle_finds_its_file_from_another_folder(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(path.parent)
    data = pickle.dumps(InferenceSession(path.name))
    monkeypatch.chdir("/")
    np.testing.assert_array_equal(pickle.loads(data).run(None, {"x": X})[0], Y)


def test_providers_that_make_no_sense_are_told_or_refused(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    session = InferenceSession(path, providers=[3])
    assert "Falling back to ['CPUExecutionProvider']" in capsys.readouterr().err
    assert session.get_providers() == ["CPUExecutionProvider"]
    with pytest.raises(ValueError, match="must be either strings"):
        InferenceSession(path, providers=[3], enable_fallback=0)
    session.enable_fallback()
    session.disable_fallback()
    with pytest.raises(ValueError, match="must be either strings"):
        session.set_providers([3])
    assert session.run(None, {"x": X})[0].tolist() == Y.tolist()


def test_the_options_are_a_copy(path: Path) -> None:
    options = SessionOptions()
    session = InferenceSession(path, options)
    options.intra_op_num_threads = 7
    assert session.get_session_options().intra_op_num_threads != 7


@pytest.mark.parametrize(
    ("given", "read"), [(1, True), ("1", True), (0, False), ("yes", False), ("11", False)]
)
def test_a_model_may_bring_options_if_it_is_asked(path: Path, given: object, read: bool) -> None:
    proto = onnx.load(path)
    onnx.helper.set_model_props(proto, {"ort_config": '{"session_options": {"intra_op_num_threads": 1}}'})
    session = InferenceSession(proto.SerializeToString(), read_config_from_model=given)
    assert (session.get_session_options().intra_op_num_threads == 1) is read


def test_a_session_is_a_session(path: Path) -> None:
    session: Session = InferenceSession(path)
    value = session.create_ortvalue_from_shape_and_type([2, 3], np.float32)
    assert value.shape() == [2, 3]
    (found,) = session.run_with_ort_values(["y"], {"x": OrtValue.ortvalue_from_numpy(X)})
    assert found.numpy().tolist() == Y.tolist()


def test_a_level_that_is_no_severity_is_refused_where_onnxruntime_does(path: Path) -> None:
    options = SessionOptions()
    options.log_severity_level = 9
    with pytest.raises(RuntimeError, match="level. Not a valid severity value: 9;"):
        InferenceSession(path, options)
    run_options = sardonyx.RunOptions()
    run_options.log_severity_level = 9
    with pytest.raises(Fail, match="Not a valid severity value: 9;"):
        InferenceSession(path).run(None, {"x": X}, run_options)
