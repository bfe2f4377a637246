"""SessionOptions and RunOptions: typed fields with the defaults of onnxruntime, copyable and picklable.

Decides what value a field accepts; must not know what a session does with it.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar, overload

from sardonyx.ort.enums import ExecutionMode, ExecutionOrder, GraphOptimizationLevel
from sardonyx.ort.exceptions import Fail, InvalidArgument, status
from sardonyx.ort.logger import WARNING, check_level, log
from sardonyx.ort.providers import ALL_PROVIDERS, AVAILABLE_PROVIDERS

if TYPE_CHECKING:
    from sardonyx.ort.adapter import LoraAdapter
    from sardonyx.ort.ortvalue import OrtValue

    Buffer = bytes | bytearray | memoryview

T = TypeVar("T")

_INT32 = 1 << 31
_KEY_LIMIT = 1024


def _refuse(where: str, expected: str, value: object) -> TypeError:
    given = f"{type(value).__name__} ({value!r})"
    return TypeError(f"{where}: incompatible function arguments: expected {expected}, got {given}")


def as_int(where: str, value: Any) -> int:
    """A 32-bit integer; TypeError for floats, text and numbers out of range."""
    try:
        number = operator.index(value)
    except TypeError:
        raise _refuse(where, "int", value) from None
    if not -_INT32 <= number < _INT32:
        raise _refuse(where, "a 32-bit int", value)
    return number


def as_text(where: str, value: Any) -> str:
    """Text, or the text of UTF-8 bytes; TypeError otherwise, also for half a pair of surrogates."""
    try:
        if isinstance(value, bytes):
            return value.decode()
        if isinstance(value, str) and (value.isascii() or value.encode()):
            return value
    except UnicodeError:
        pass
    raise _refuse(where, "str", value)


def _as_bool(where: str, value: Any) -> bool:
    if value is None or isinstance(value, bool) or hasattr(type(value), "__bool__"):
        return bool(value)
    raise _refuse(where, "bool", value)


class Field(Generic[T]):
    """One typed attribute with a default; an assignment of another type is a TypeError."""

    def __init__(self, default: T) -> None:
        self.default = default
        self.name = self.where = ""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name, self.where = name, f"{owner.__name__}.{name}"

    @overload
    def __get__(self, instance: None, owner: type) -> Field[T]: ...
    @overload
    def __get__(self, instance: _Options, owner: type) -> T: ...
    def __get__(self, instance: _Options | None, owner: type) -> T | Field[T]:
        if instance is None:
            return self
        value: T = instance._values.get(self.name, self.default)
        return value

    def __set__(self, instance: _Options, value: T) -> None:
        default: object = self.default
        checked: object
        if isinstance(default, bool):
            checked = _as_bool(self.where, value)
        elif isinstance(default, int):
            checked = as_int(self.where, value)
        elif isinstance(default, str):
            checked = as_text(self.where, value)
        elif isinstance(value, type(default)):
            checked = value
        else:
            raise _refuse(self.where, type(default).__name__, value)
        instance._values[self.name] = checked

    def __delete__(self, instance: _Options) -> None:
        raise AttributeError(f"{self.where} cannot be deleted")


class _Options:
    """Typed fields and free config entries."""

    __slots__ = ("_entries", "_values")

    def __init__(self) -> None:
        self._values: dict[str, Any] = {}
        self._entries: dict[str, str] = {}

    def __getstate__(self) -> dict[str, Any]:
        return {name: _copied(getattr(self, name)) for cls in type(self).__mro__ for name in _slots(cls)}

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        for name, value in state.items():
            object.__setattr__(self, name, value)

    def __copy__(self) -> Self:
        other = object.__new__(type(self))
        other.__setstate__(self.__getstate__())
        return other

    def _add(self, key: str, value: str, method: str) -> None:
        key, value = as_text(method, key), as_text(method, value)
        if not 0 < len(key) <= _KEY_LIMIT:
            raise RuntimeError(f"Config key is empty or longer than maximum length {_KEY_LIMIT}")
        if key in self._entries:
            before = self._entries[key]
            log(
                WARNING,
                f"Config with key [{key[:80]}] already exists with value [{before[:80]}]. It is overwritten.",
            )
        self._entries[key] = value

    def _get(self, key: str, method: str) -> str:
        key = as_text(method, key)
        if key not in self._entries:
            raise RuntimeError(f"{type(self).__name__} does not have configuration with key: {key}")
        return self._entries[key]


def _slots(cls: type) -> Iterable[str]:
    return tuple(cls.__dict__.get("__slots__", ()))


def _copied(value: object) -> object:
    if isinstance(value, dict):
        return dict(value)
    return list(value) if isinstance(value, list) else value


class SessionOptions(_Options):
    """How a session is made; fields and defaults are those of onnxruntime, and `sardonyx.*` config entries.

    Fields about arenas, memory patterns and inter-op threads are kept and have no effect.
    """

    __slots__ = ("_denotations", "_dims", "_files", "_initializers", "_providers")

    enable_cpu_mem_arena = Field(True)
    enable_mem_pattern = Field(True)
    enable_mem_reuse = Field(True)
    enable_profiling = Field(False)
    execution_mode = Field(ExecutionMode.ORT_SEQUENTIAL)
    execution_order = Field(ExecutionOrder.DEFAULT)
    graph_optimization_level = Field(GraphOptimizationLevel.ORT_ENABLE_ALL)
    inter_op_num_threads = Field(0)
    intra_op_num_threads = Field(0)
    log_severity_level = Field(-1)
    log_verbosity_level = Field(0)
    logid = Field("")
    optimized_model_filepath = Field("")
    profile_file_prefix = Field("onnxruntime_profile_")
    use_deterministic_compute = Field(False)
    use_per_session_threads = Field(True)

    def __init__(self) -> None:
        super().__init__()
        self._dims: dict[str, int] = {}
        self._denotations: dict[str, int] = {}
        self._files: dict[str, bytes] = {}
        self._initializers: dict[str, OrtValue] = {}
        self._providers: list[tuple[str, dict[str, str]]] = []

    def add_session_config_entry(self, key: str, value: str, /) -> None:
        """Keep an entry; `sardonyx.<knob>` is an option of this engine, an unknown key has no effect."""
        self._add(key, value, "add_session_config_entry()")

    def get_session_config_entry(self, key: str, /) -> str:
        """The value of an entry; RuntimeError if it was never added."""
        return self._get(key, "get_session_config_entry()")

    def add_free_dimension_override_by_name(self, name: str, size: int, /) -> None:
        """Fix the free dimension called `name`."""
        method = "add_free_dimension_override_by_name()"
        self._dims[as_text(method, name)] = as_int(method, size)

    def add_free_dimension_override_by_denotation(self, denotation: str, size: int, /) -> None:
        """Fix the free dimensions with a denotation such as DATA_BATCH."""
        method = "add_free_dimension_override_by_denotation()"
        self._denotations[as_text(method, denotation)] = as_int(method, size)

    def add_initializer(self, name: str, value: OrtValue, /) -> None:
        """Supply or replace the initializer `name`; the value's memory is not copied before compilation.

        As in onnxruntime, nothing comes of it if that is an input which is fed, or the result of a node.
        """
        from sardonyx.ort.ortvalue import OrtValue

        if not isinstance(value, OrtValue):
            raise RuntimeError(f"The provided Python object must be an OrtValue, got {type(value).__name__}")
        if (name := as_text("add_initializer()", name)) in self._initializers:
            raise RuntimeError(f"An OrtValue for this name has already been added: {name}")
        self._initializers[name] = value

    def add_external_initializers(self, names: Sequence[str], values: Sequence[OrtValue], /) -> None:
        """Supply several initializers that the model keeps outside its file."""
        if len(names) != len(values):
            raise RuntimeError(
                f"Expecting names and ort_values lists to have equal length: {len(names)}, {len(values)}"
            )
        for name, value in zip(names, values, strict=True):
            self.add_initializer(name, value)

    def add_external_initializers_from_files_in_memory(
        self, names: Sequence[str], buffers: Sequence[Buffer], lengths: Sequence[int], /
    ) -> None:
        """Supply the content of files of external data by their names in the model."""
        if not len(names) == len(buffers) == len(lengths):
            raise RuntimeError(
                "Expecting names, buffers and lengths to have equal length: "
                f"{len(names)}, {len(buffers)}, {len(lengths)}"
            )
        method = "add_external_initializers_from_files_in_memory()"
        for name, buffer, length in zip(names, buffers, lengths, strict=True):
            content = memoryview(buffer).cast("B")
            if not 0 <= as_int(method, length) <= len(content):
                raise RuntimeError(f"{method}: {name} has {len(content)} bytes, {length} were announced")
            self._files[as_text(method, name)] = bytes(content[:length])

    def add_provider(self, name: str, options: Mapping[str, str], /) -> None:
        """Ask for an execution provider; only CPUExecutionProvider exists here."""
        name = as_text("add_provider()", name)
        if name not in ALL_PROVIDERS:
            raise RuntimeError(f"Unknown Provider Type: {name}")
        if name not in AVAILABLE_PROVIDERS:
            raise status(
                InvalidArgument,
                f"Failed to add provider of type '{name}' to SessionOptions: "
                f"this package runs on {', '.join(AVAILABLE_PROVIDERS)} only.",
            )
        self._providers.append((name, {str(key): str(value) for key, value in options.items()}))

    def add_provider_for_devices(self, devices: Sequence[Any], options: Mapping[str, str], /) -> None:
        """Accept any devices of `get_ep_devices`: there is only the CPU."""

    def set_provider_selection_policy(self, policy: Any, /) -> None:
        """Accept any policy: there is only the CPU to select."""

    def set_provider_selection_policy_delegate(self, delegate: Any, /) -> None:
        """Accept a delegate, which is never asked: there is only the CPU to select."""

    def set_ep_context_data_read_func(self, read: Any, /) -> None:
        """Refuse: models with compiled contexts of other providers cannot run here."""
        raise status(Fail, "EPContext data belongs to providers that this package does not have.")

    def clear_ep_context_data_read_func(self) -> None:
        """Nothing to clear."""

    def has_providers(self) -> bool:
        """Whether add_provider was called."""
        return bool(self._providers)

    def register_custom_ops_library(self, path: str, /) -> None:
        """Refuse: a library of compiled onnxruntime operators cannot be loaded here."""
        raise status(
            Fail,
            f"Failed to load library {path} with error: libraries of custom operators need the C API of "
            "onnxruntime; write the operator as a function of the model instead.",
        )

    def set_load_cancellation_flag(self, flag: bool, /) -> None:
        """Cancel the loading of sessions made with these options."""
        self._values["load_cancellation_flag"] = bool(flag)


class RunOptions(_Options):
    """How one run is made; fields and defaults are those of onnxruntime."""

    __slots__ = ("_adapters",)

    log_severity_level = Field(-1)
    log_verbosity_level = Field(0)
    logid = Field("")
    only_execute_path_to_fetches = Field(False)
    terminate = Field(False)

    def __init__(self) -> None:
        super().__init__()
        self._adapters: list[LoraAdapter] = []

    def _check(self) -> None:
        """Raise Fail if a run must not begin."""
        if self.terminate:
            raise status(Fail, "Exiting due to terminate flag being set to true.")
        try:
            check_level(self.log_severity_level)
        except RuntimeError as error:
            raise status(Fail, str(error)) from None

    def add_active_adapter(self, adapter: LoraAdapter | None, /) -> None:
        """Feed the parameters of an adapter; they count before what a run feeds and before later adapters."""
        from sardonyx.ort.adapter import LoraAdapter

        if adapter is None:
            return
        if not isinstance(adapter, LoraAdapter):
            raise _refuse("add_active_adapter()", "LoraAdapter", adapter)
        self._adapters.append(adapter)

    def _fed_by_adapters(self) -> dict[str, Any]:
        return {name: value for a in reversed(self._adapters) for name, value in a.parameters.items()}

    def add_run_config_entry(self, key: str, value: str, /) -> None:
        """Keep an entry; none has an effect."""
        self._add(key, value, "add_run_config_entry()")

    def get_run_config_entry(self, key: str, /) -> str:
        """The value of an entry; RuntimeError if it was never added."""
        return self._get(key, "get_run_config_entry()")
