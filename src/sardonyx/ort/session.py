"""InferenceSession: what a user holds; the onnxruntime API over a compiled program.

Decides how a session is made, named and described. What is fed is judged in feeds.py and calls.py; how a
model becomes a program is not known here.
"""

from __future__ import annotations

import operator
import os
import time
import weakref
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from sardonyx.base.dataclass import replace
from sardonyx.base.knobs import CompileOptions
from sardonyx.base.report import Report
from sardonyx.ort.calls import Call, Caller
from sardonyx.ort.environment import check_threads
from sardonyx.ort.exceptions import Fail, ModelLoadCanceled, status
from sardonyx.ort.logger import ERROR, INFO, WARNING, check_level, log
from sardonyx.ort.metadata import ModelMetadata, NodeArg
from sardonyx.ort.options import RunOptions, SessionOptions
from sardonyx.ort.providers import AVAILABLE_PROVIDERS, check_dynamic, check_tuning, normalize
from sardonyx.ort.session_config import (
    RECORD_ASSIGNMENT,
    apply_model_config,
    compile_options,
    read_source,
    with_files,
    write_optimized,
)
from sardonyx.store.loader import load_program

if TYPE_CHECKING:
    from sardonyx.ort.binding import IOBinding
    from sardonyx.ort.device import OrtDevice
    from sardonyx.ort.hardware import OrtEpAssignedSubgraph, OrtEpDevice
    from sardonyx.ort.memory import OrtMemoryInfo
    from sardonyx.ort.native import NativeSession
    from sardonyx.ort.ortvalue import OrtValue
    from sardonyx.ort.profile import Profile
    from sardonyx.runtime.runnable import ModelProgram

ModelSource = str | bytes | os.PathLike[str]


class Session:
    """A program with named inputs and outputs."""

    _caller: Caller
    _call: Call
    _program: ModelProgram
    _fed_programs: dict[tuple[str, ...], ModelProgram]
    _inputs_meta: list[NodeArg]
    _outputs_meta: list[NodeArg]
    _overridable_initializers: list[NodeArg]
    _model_meta: ModelMetadata
    _providers: list[str]
    _provider_options: dict[str, dict[str, str]]
    _sess_options: SessionOptions
    _model_path: str | None
    _model_bytes: bytes | None

    def __init__(self, enable_fallback: bool = True) -> None:
        self._enable_fallback = enable_fallback
        self._profile: Profile | None = None

    def run(
        self,
        output_names: Sequence[str] | None,
        input_feed: Mapping[str, Any],
        run_options: RunOptions | None = None,
    ) -> list[Any]:
        """Compute the named outputs (None or empty = all, in the model's order).

        Args:
            output_names: names of outputs; one named twice comes twice.
            input_feed: a value per input: an array of the declared dtype, a list of numbers, or an OrtValue.
            run_options: None or a RunOptions.

        Returns:
            One array (list for a sequence, None for an empty optional) per output, never sharing memory
            with a feed.

        Raises:
            ValueError: a required input is missing.
            InvalidArgument: a name, type or shape contradicts the model.
            Fail: a kernel met data it cannot compute with.
        """
        return self._call(output_names, input_feed, run_options)

    def run_with_ort_values(
        self,
        output_names: Sequence[str] | None,
        input_dict_ort_values: Mapping[str, OrtValue],
        run_options: RunOptions | None = None,
    ) -> list[OrtValue]:
        """Like `run`, with OrtValues in and out."""
        from sardonyx.ort.ortvalue import OrtValue

        return [OrtValue(value) for value in self._call(output_names, input_dict_ort_values, run_options)]

    def run_with_iobinding(self, iobinding: IOBinding, run_options: RunOptions | None = None) -> None:
        """Run with bound inputs; the results are in the binding. RuntimeError if anything fails."""
        if iobinding._session is not self:
            raise ValueError("IOBinding must be used with the session that created it.")
        try:
            iobinding._run(run_options)
        except (RuntimeError, TypeError):
            raise
        except Exception as error:
            raise RuntimeError(f"Error in execution: {str(error).split(' : ', 3)[-1]}") from error

    def run_with_ortvaluevector(
        self,
        run_options: RunOptions | None,
        feed_names: Sequence[str],
        feeds: Sequence[OrtValue],
        fetch_names: Sequence[str],
        fetches: list[OrtValue],
        fetch_devices: Sequence[Any],
    ) -> None:
        """Like `run`, with values by position; the results are appended to `fetches`."""
        from sardonyx.ort.ortvalue import OrtValue

        fed = dict(zip(feed_names, feeds, strict=True))
        fetches += [OrtValue(value) for value in self._call(fetch_names, fed, run_options)]

    def run_async(
        self,
        output_names: Sequence[str] | None,
        input_feed: Mapping[str, Any],
        callback: Callable[[Sequence[Any], Any, str], object],
        user_data: Any,
        run_options: RunOptions | None = None,
    ) -> None:
        """Run on another thread, which then calls `callback(results, user_data, error text)`."""
        if not callable(callback):
            raise TypeError(f"run_async(): the callback must be callable, got {callback!r}")
        if error := self._caller.missing(input_feed):
            raise error

        def work() -> None:
            try:
                results, problem = self._call(output_names, input_feed, run_options), ""
            except Exception as failure:
                results, problem = [], str(failure).split(" : ", 3)[-1]
            callback(results, user_data, problem)

        from sardonyx.ort.asynchronous import begin

        begin(work)

    def io_binding(self) -> IOBinding:
        """A new binding of inputs and outputs of this session."""
        from sardonyx.ort.binding import IOBinding

        return IOBinding(self)

    def get_inputs(self) -> list[NodeArg]:
        """The required inputs in the model's order."""
        return self._inputs_meta

    def get_outputs(self) -> list[NodeArg]:
        """The outputs in the model's order."""
        return self._outputs_meta

    def get_overridable_initializers(self) -> list[NodeArg]:
        """The initializers that are inputs too and may be fed."""
        return self._overridable_initializers

    def get_modelmeta(self) -> ModelMetadata:
        """The descriptive fields of the model."""
        return self._model_meta

    def get_session_options(self) -> SessionOptions:
        """The options of this session; changing them changes nothing."""
        return self._sess_options

    def get_providers(self) -> list[str]:
        """The execution providers in use."""
        return self._providers

    def get_provider_options(self) -> dict[str, dict[str, str]]:
        """The options of the execution providers by name."""
        return self._provider_options

    def get_input_memory_infos(self) -> list[OrtMemoryInfo]:
        """Where each input is read from: the memory of the CPU."""
        from sardonyx.ort.memory import OrtMemoryInfo

        return [OrtMemoryInfo() for _ in self._inputs_meta]

    def get_output_memory_infos(self) -> list[OrtMemoryInfo]:
        """Where each output is written to: the memory of the CPU."""
        from sardonyx.ort.memory import OrtMemoryInfo

        return [OrtMemoryInfo() for _ in self._outputs_meta]

    def get_input_epdevices(self) -> list[OrtEpDevice]:
        """The device each input is read on: the CPU."""
        from sardonyx.ort.hardware import get_ep_devices

        return [get_ep_devices()[0] for _ in self._inputs_meta]

    def get_provider_graph_assignment_info(self) -> list[OrtEpAssignedSubgraph]:
        """Which provider runs which nodes; Fail if the session was not told to record it."""
        if self._sess_options._entries.get(RECORD_ASSIGNMENT) != "1":
            raise status(Fail, f"Session configuration entry '{RECORD_ASSIGNMENT}' must be set to \"1\"")
        from sardonyx.ort.hardware import assigned

        return assigned(read_source(self._model_path or self._model_bytes, self._sess_options))

    @property
    def _sess(self) -> NativeSession:
        from sardonyx.ort.native import NativeSession

        return NativeSession(self)

    def create_ortvalue_from_shape_and_type(
        self, shape: Sequence[int], element_type: Any, device_type: str | OrtDevice = "cpu", *args: Any
    ) -> OrtValue:
        """See `OrtValue.ortvalue_from_shape_and_type`."""
        from sardonyx.ort.ortvalue import OrtValue

        return OrtValue.ortvalue_from_shape_and_type(shape, element_type, device_type, *args)

    def get_tuning_results(self) -> list[Any]:
        """Empty: nothing is tuned at run time."""
        return []

    def set_tuning_results(self, results: Any, *, error_on_invalid: bool = False) -> None:
        """Nothing is set; see `check_tuning` for what is refused."""
        check_tuning(results, error_on_invalid=error_on_invalid)

    def release_captured_graph(self, graph_annotation_id: int = 0) -> None:
        """Nothing to release: no run is captured."""
        operator.index(graph_annotation_id)

    def set_ep_dynamic_options(self, options: Mapping[str, str]) -> None:
        """Accept options of providers; none has an effect. See `check_dynamic` for what is refused."""
        check_dynamic(options)

    def disable_fallback(self) -> None:
        """Refuse, instead of ignoring, provider arguments that make no sense."""
        self._enable_fallback = False

    def enable_fallback(self) -> None:
        """Run on the CPU when provider arguments make no sense."""
        self._enable_fallback = True

    def end_profiling(self) -> str:
        """Write the profile and give its file name; empty if profiling is off."""
        if self._profile is None:
            return ""
        name = self._profile.end()
        self._profile = None
        self._call = self._caller.function()
        return name

    def get_profiling_start_time_ns(self) -> int:
        """When profiling began, comparable to time.monotonic_ns(); 0 if it is off."""
        return self._profile.start_ns if self._profile is not None else 0

    def compile_fully(self) -> None:
        """Compile in full, now, what was compiled quickly; runs go on meanwhile and are the same bits.

        Without it, that happens in the background once the session has run for a while. RuntimeException if
        the code generator refuses; the session goes on as it is.
        """
        for program in (self._program, *self._fed_programs.values()):
            try:
                program.compile_fully()
            except Exception as error:
                from sardonyx.ort.status import load_status

                raise load_status(error, self._model_path) from error

    @property
    def report(self) -> Report:
        """What the compiler decided for this model."""
        report: Report = self._program.report
        return report

    def explain(self) -> str:
        """The report as text: kernels, what was joined and why not, what does not run native."""
        from sardonyx.base.explanation import explanation

        return explanation(self.report)


class InferenceSession(Session):
    """A compiled ONNX model, ready to run; safe to use from several threads, picklable."""

    def __init__(
        self,
        path_or_bytes: ModelSource,
        sess_options: SessionOptions | None = None,
        providers: Sequence[Any] | None = None,
        provider_options: Sequence[dict[Any, Any]] | None = None,
        *,
        precision: str | None = None,
        **kwargs: Any,
    ) -> None:
        """Load and compile a model, or take its compiled program from the cache.

        Args:
            path_or_bytes: a file name or the bytes of an ONNX model.
            sess_options: None or a SessionOptions; later changes to it have no effect.
            providers: names of execution providers or (name, options) pairs; the model runs on the CPU.
            provider_options: options per provider, if `providers` holds names only.
            precision: `fp32`, `strict` or `bf16`; None = the config entry `sardonyx.precision`, else fp32.
            kwargs: `enable_fallback`, `disabled_optimizers`, `read_config_from_model`; others are ignored.

        Raises:
            NoSuchFile, InvalidProtobuf, InvalidGraph, InvalidArgument, NotImplemented, Fail: see the message.
        """
        super().__init__(enable_fallback=int(kwargs.get("enable_fallback", 1)) == 1)
        if isinstance(path_or_bytes, (str, os.PathLike)):
            self._model_path, self._model_bytes = os.fspath(path_or_bytes), None
            if not self._model_path:
                raise TypeError(
                    "InferenceSession: incompatible constructor arguments: the model path is empty"
                )
        elif isinstance(path_or_bytes, bytes):
            self._model_path, self._model_bytes = None, path_or_bytes
        else:
            raise TypeError(
                f"Unable to load from type '{type(path_or_bytes)}'; give a path, or bytes as those of "
                "onnx.ModelProto.SerializeToString()"
            )
        if sess_options and not isinstance(sess_options, SessionOptions):
            raise TypeError(
                "InferenceSession: incompatible constructor arguments: sess_options must be SessionOptions "
                f"or None, got {type(sess_options).__name__}"
            )
        self._sess_options_initial = sess_options
        self._precision = precision
        self._fallback_providers = list(AVAILABLE_PROVIDERS)
        given = kwargs.get("read_config_from_model", os.environ.get("ORT_LOAD_CONFIG_FROM_MODEL", 0))
        self._read_config_from_model = str(int(given)) == "1" if str(given).isdecimal() else False
        self._create(providers, provider_options)

    def set_providers(
        self, providers: Sequence[Any] | None = None, provider_options: Sequence[dict[Any, Any]] | None = None
    ) -> None:
        """Make the session anew with other providers. Raises RuntimeError for a name no engine has."""
        normalize(providers, provider_options)
        self._create(providers, provider_options)

    def _create(self, providers: Any, provider_options: Any) -> None:
        try:
            normalize(providers, provider_options)
        except (ValueError, RuntimeError) as error:
            if not self._enable_fallback:
                raise
            log(
                WARNING,
                f"EP Error {error} when using {providers}. Falling back to {self._fallback_providers}.",
            )
            self._enable_fallback = False
        self._providers = list(AVAILABLE_PROVIDERS)
        self._provider_options: dict[str, dict[str, str]] = {name: {} for name in self._providers}
        options = (self._sess_options_initial or SessionOptions()).__copy__()
        if options._values.get("load_cancellation_flag"):
            raise status(ModelLoadCanceled, "Loading was cancelled by set_load_cancellation_flag(True).")
        check_threads(options)
        check_level(options.log_severity_level)
        began = time.monotonic_ns()
        origin = self._model_path if self._model_path is not None else self._model_bytes
        tell = partial(log, WARNING, logid=options.logid, level=options.log_severity_level)
        load = partial(_load, origin, tell)
        chosen = _chosen(origin, options, self._precision)
        program = load(chosen)
        if self._read_config_from_model and apply_model_config(options, program.metadata.custom_metadata_map):
            chosen = _chosen(origin, options, self._precision)
            program = load(chosen)
        profile = None
        if options.enable_profiling:
            from sardonyx.ort.profile import Profile

            profile = Profile(options.profile_file_prefix)
            profile.add("model_loading_uri" if self._model_path else "model_loading_array", began)
            profile.add("session_initialization", began)
        if options.optimized_model_filepath:
            write_optimized(origin, options, chosen)
        fed = self._fed_programs = {}

        def with_fed(names: tuple[str, ...]) -> ModelProgram:
            if names not in fed:
                fed[names] = load(replace(chosen, fed=names))
            return fed[names]

        self._bind(program, with_fed, options, profile)

    def _bind(
        self,
        program: ModelProgram,
        with_fed: Callable[[tuple[str, ...]], ModelProgram],
        options: SessionOptions,
        profile: Profile | None,
    ) -> None:
        def log_failure(error: Exception) -> None:
            log(ERROR, str(error), logid=options.logid, level=options.log_severity_level)

        self._program = program
        runs = program if profile is None else profile.of(program)
        self._caller = Caller(runs, with_fed=with_fed, logged=log_failure)
        self._profile = profile
        call = self._caller.function()
        self._call = _counted(self, self._caller, call) if profile is None else _profiled(call, profile)
        self._sess_options = options
        self._inputs_meta = [NodeArg(info) for info in program.inputs]
        self._outputs_meta = [NodeArg(info) for info in program.outputs]
        self._overridable_initializers = [NodeArg(info) for info in program.initializer_inputs]
        self._model_meta = ModelMetadata(program.metadata)
        for note in program.fallbacks:
            message = f"{note.op} ({note.node}) does not run native: {note.reason}"
            log(INFO, message, logid=options.logid, level=options.log_severity_level)

    def __reduce__(self) -> tuple[Any, ...]:
        path = os.path.abspath(self._model_path) if self._model_path is not None else None
        state = {
            "_model_path": path,
            "_model_bytes": self._model_bytes,
            "_sess_options_initial": self._sess_options_initial and self._sess_options_initial.__copy__(),
            "_precision": self._precision,
            "_read_config_from_model": self._read_config_from_model,
            "_enable_fallback": self._enable_fallback,
            "_fallback_providers": self._fallback_providers,
        }
        return _restored, (type(self), state, self._provider_options)


def _chosen(origin: str | bytes | None, options: SessionOptions, precision: str | None) -> CompileOptions:
    chosen = compile_options(options, precision)
    if not options._files:
        return chosen
    try:
        return with_files(origin, options, chosen)
    except Exception as error:
        from sardonyx.ort.status import load_status

        raise load_status(error, origin if isinstance(origin, str) else None) from error


def _load(source: str | bytes | None, tell: Callable[[str], None], options: CompileOptions) -> ModelProgram:
    assert source is not None
    try:
        return load_program(source, options, tell)
    except Exception as error:
        from sardonyx.ort.status import load_status

        raise load_status(error, source if isinstance(source, str) else None) from error


FIRST_RUNS = 8
"""Runs of a session before a shortcut is made: no start is to wait for that."""


def _counted(session: Session, caller: Caller, call: Call) -> Call:
    """The call of the first runs of a session, which the last of them replaces by one with a shortcut."""
    left, held = FIRST_RUNS, weakref.ref(session)

    def counted(*args: Any, **kwargs: Any) -> list[Any]:
        nonlocal left
        left = now = left - 1
        if now:
            return call(*args, **kwargs)
        made, owner = caller.shortcut(call), held()
        if owner is not None and owner._caller is caller:
            owner._call = made
        return made(*args, **kwargs)

    return counted


def _profiled(call: Call, profile: Profile) -> Call:
    def timed(*args: Any, **kwargs: Any) -> list[Any]:
        began = time.monotonic_ns()
        try:
            return call(*args, **kwargs)
        finally:
            profile.add("model_run", began)

    return timed


def _restored(
    cls: type[InferenceSession], state: dict[str, Any], provider_options: dict[str, dict[str, str]]
) -> InferenceSession:
    session = cls.__new__(cls)
    session.__dict__.update(state)
    session._create(list(provider_options), list(provider_options.values()))
    return session
