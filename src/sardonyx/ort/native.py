"""The classes that onnxruntime has below its Python API, which existing code reaches through `_sess` and `C`.

They are other signatures for what session.py and binding.py do; nothing is decided here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sardonyx.ort.binding import IOBinding
from sardonyx.ort.device import OrtDevice
from sardonyx.ort.memory import OrtValueVector
from sardonyx.ort.ortvalue import OrtValue


class SessionIOBinding(IOBinding):
    """A binding whose devices are OrtDevices."""

    def __init__(self, session: Any) -> None:
        super().__init__(session._session if isinstance(session, NativeSession) else session)

    def bind_input(self, name: str, value: Any, *memory: Any) -> None:
        """Bind an array, or memory by device, element type, shape and address."""
        if not memory:
            self.bind_cpu_input(name, value)
        else:
            super().bind_input(name, value, 0, *memory)

    def bind_output(self, name: str, device: OrtDevice, *memory: Any) -> None:  # type: ignore[override]
        """Ask for an output on a device, in memory by element type, shape and address if that is given."""
        super().bind_output(name, device, 0, *memory)

    def get_outputs(self) -> OrtValueVector:
        """The outputs of the last run in the order of binding."""
        return OrtValueVector(super().get_outputs())


class NativeSession:
    """A session with the signatures of onnxruntime's native one; other names are those of the session."""

    def __init__(self, session: Any) -> None:
        self._session = session

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)

    def run(
        self, output_names: Sequence[str], input_feed: Mapping[str, Any], run_options: Any = None
    ) -> list[Any]:
        """See `Session.run`."""
        results: list[Any] = self._session.run(output_names, input_feed, run_options)
        return results

    def run_with_ort_values(
        self, input_feed: Mapping[str, OrtValue], output_names: Sequence[str], run_options: Any = None
    ) -> OrtValueVector:
        """Like `Session.run_with_ort_values`, feeds first."""
        return OrtValueVector(self._session.run_with_ort_values(output_names, input_feed, run_options))

    def run_with_iobinding(self, binding: IOBinding, run_options: Any = None) -> None:
        """See `Session.run_with_iobinding`."""
        self._session.run_with_iobinding(binding, run_options)

    def run_async(
        self,
        output_names: Sequence[str],
        input_feed: Mapping[str, Any],
        callback: Callable[[Sequence[Any], Any, str], object],
        user_data: Any,
        run_options: Any = None,
    ) -> None:
        """See `Session.run_async`."""
        self._session.run_async(output_names, input_feed, callback, user_data, run_options)

    def initialize_session(self, *arguments: Any) -> None:
        """Nothing to do: a session is ready once it exists."""

    def is_webgpu_graph_capture_enabled(self) -> bool:
        """False: there is only the CPU."""
        return False

    inputs_meta = property(lambda self: self._session.get_inputs())
    outputs_meta = property(lambda self: self._session.get_outputs())
    overridable_initializers = property(lambda self: self._session.get_overridable_initializers())
    model_meta = property(lambda self: self._session.get_modelmeta())
    session_options = property(lambda self: self._session.get_session_options())
    input_meminfos = property(lambda self: self._session.get_input_memory_infos())
    output_meminfos = property(lambda self: self._session.get_output_memory_infos())
    input_epdevices = property(lambda self: self._session.get_input_epdevices())
    get_profiling_start_time_ns = property(lambda self: self._session.get_profiling_start_time_ns())
