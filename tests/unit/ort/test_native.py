"""The classes below the Python API: the same session, asked with other signatures."""

from __future__ import annotations

import queue
from typing import Any

import numpy as np
import pytest

from sardonyx.ort.binding import IOBinding
from sardonyx.ort.device import OrtDevice
from sardonyx.ort.memory import OrtValueVector
from sardonyx.ort.native import NativeSession, SessionIOBinding
from sardonyx.ort.ortvalue import OrtValue
from sardonyx.ort.session import InferenceSession
from tests.unit.runtime.programs import model

X = np.float32([-1, 0.5, 2])
Y = np.float32([0, 0.5, 2])
CPU = OrtDevice.make("cpu", 0)


@pytest.fixture(scope="module")
def session() -> InferenceSession:
    return InferenceSession(model("g (float[N] x) => (float[N] y) { y = Relu(x) }"))


@pytest.fixture
def native(session: InferenceSession) -> NativeSession:
    return session._sess


def test_every_description_is_that_of_the_session(session: InferenceSession, native: NativeSession) -> None:
    assert native.inputs_meta is session.get_inputs()
    assert native.outputs_meta is session.get_outputs()
    assert native.overridable_initializers == []
    assert native.model_meta is session.get_modelmeta()
    assert native.session_options is session.get_session_options()
    assert len(native.input_meminfos) == len(native.output_meminfos) == len(native.input_epdevices) == 1
    assert native.get_profiling_start_time_ns == 0
    assert native.get_providers() == session.get_providers()
    assert not native.is_webgpu_graph_capture_enabled()
    native.initialize_session([], [], set())
    with pytest.raises(AttributeError, match="nonsense"):
        _ = native.nonsense


def test_feeds_come_first_where_values_are_given(native: NativeSession) -> None:
    found = native.run_with_ort_values({"x": OrtValue.ortvalue_from_numpy(X)}, ["y"])
    assert isinstance(found, OrtValueVector)
    np.testing.assert_array_equal(found[0].numpy(), Y)
    np.testing.assert_array_equal(native.run(["y"], {"x": X})[0], Y)


def test_a_run_in_the_background(native: NativeSession) -> None:
    told = queue.SimpleQueue[tuple[Any, ...]]()
    native.run_async(["y"], {"x": X}, lambda *answer: told.put(answer), "mine")
    (y,), given, error = told.get(timeout=30)
    np.testing.assert_array_equal(y, Y)
    assert (given, error) == ("mine", "")


@pytest.mark.parametrize("below", [True, False])
def test_a_binding_takes_an_array_or_memory_of_a_device(session: InferenceSession, below: bool) -> None:
    binding = SessionIOBinding(session._sess if below else session)
    assert isinstance(binding, IOBinding)
    binding.bind_input("x", X)
    binding.bind_output("y", CPU)
    session._sess.run_with_iobinding(binding)
    outputs = binding.get_outputs()
    assert isinstance(outputs, OrtValueVector)
    np.testing.assert_array_equal(outputs[0].numpy(), Y)


def test_a_binding_reads_and_writes_at_addresses(session: InferenceSession) -> None:
    binding, given, target = SessionIOBinding(session), X.copy(), np.zeros(3, np.float32)
    binding.bind_input("x", CPU, np.float32, given.shape, given.ctypes.data)
    binding.bind_output("y", CPU, np.float32, target.shape, target.ctypes.data)
    session.run_with_iobinding(binding)
    np.testing.assert_array_equal(target, Y)


def test_a_binding_refuses_what_is_not_the_cpu(session: InferenceSession) -> None:
    with pytest.raises(RuntimeError):
        SessionIOBinding(session).bind_output("y", OrtDevice.make("cuda", 0))
