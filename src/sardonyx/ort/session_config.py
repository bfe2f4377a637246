"""From the options a caller gives to the options of a compilation; also options kept inside a model.

The one place that knows which config keys of onnxruntime mean something here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from sardonyx.base.dataclass import replace
from sardonyx.base.knobs import KNOBS, PRECISION, CompileOptions
from sardonyx.ort.enums import ExecutionMode, GraphOptimizationLevel
from sardonyx.ort.environment import global_threads
from sardonyx.ort.exceptions import Fail, status
from sardonyx.ort.logger import WARNING, log
from sardonyx.ort.options import SessionOptions

if TYPE_CHECKING:
    from sardonyx.frontend.load import Source

_KNOB_ENTRIES = frozenset(knob.entry for knob in KNOBS)
_EXTERNAL_FOLDER = "session.model_external_initializers_file_folder_path"
_DENORMALS = "session.set_denormal_as_zero"
_SPINNING = "session.intra_op.allow_spinning"
_SPIN_US = "session.intra_op.spin_duration_us"
RECORD_ASSIGNMENT = "session.record_ep_graph_assignment_info"
_MODEL_CONFIG_KEY = "ort_config"
_SAVED_WEIGHTS = "session.optimized_model_external_initializers_file_name"
_SAVED_WEIGHTS_LEAST = 1024
_SAVED_WEIGHTS_BYTES = "session.optimized_model_external_initializers_min_size_in_bytes"

_FROM_MODEL: dict[str, Callable[[Any], Any]] = {
    "intra_op_num_threads": int,
    "inter_op_num_threads": int,
    "execution_mode": ExecutionMode,
    "graph_optimization_level": GraphOptimizationLevel,
    "enable_profiling": bool,
}


def compile_options(options: SessionOptions, precision: str | None) -> CompileOptions:
    """The compiler's options for a session; `use_deterministic_compute` asks for strict precision.

    Raises ValueError for a `sardonyx.*` entry outside its range; an entry that is not a knob is logged.
    """
    entries = options._entries
    for key in entries:
        if key.startswith("sardonyx.") and key not in _KNOB_ENTRIES:
            log(
                WARNING,
                f"The config entry {key} is not an option; see `sardonyx knobs`.",
                logid=options.logid,
            )
    if precision is None and options.use_deterministic_compute and PRECISION.entry not in entries:
        precision = "strict"
    spin_us: int | None = None
    if entries.get(_SPINNING) == "0":
        spin_us = 0
    elif entries.get(_SPIN_US, "").isdecimal():
        spin_us = int(entries[_SPIN_US])
    threads = options.intra_op_num_threads if options.intra_op_num_threads > 0 else global_threads()
    return CompileOptions.resolve(
        entries,
        precision=precision,
        threads=threads or None,
        spin_us=spin_us,
        level=options.graph_optimization_level.value,
        dims=dict(options._dims),
        denotations=dict(options._denotations),
        initializers={name: value.numpy() for name, value in options._initializers.items()},
        external_folder=entries.get(_EXTERNAL_FOLDER),
        flush_denormals=entries.get(_DENORMALS) == "1",
    )


def apply_model_config(options: SessionOptions, metadata: Mapping[str, str]) -> bool:
    """Set the fields that the model's `ort_config` metadata names; whether there were any.

    Raises Fail if the metadata is not such a JSON.
    """
    text = metadata.get(_MODEL_CONFIG_KEY)
    if text is None:
        return False
    import json

    try:
        given = json.loads(text).get("session_options", {})
        fields = {name: _FROM_MODEL[name](value) for name, value in given.items() if name in _FROM_MODEL}
    except (ValueError, TypeError, AttributeError) as error:
        raise status(Fail, f"Could not parse model config {text!r}: {error}") from error
    for name, value in fields.items():
        setattr(options, name, value)
    return bool(fields)


def read_source(model: str | bytes | None, options: SessionOptions) -> Source:
    """The parsed model of a session. Raises LoadError."""
    from sardonyx import frontend

    assert model is not None
    return frontend.open_model(model, compile_options(options, None))


def write_optimized(model: str | bytes | None, options: SessionOptions, chosen: CompileOptions) -> None:
    """Write what `optimized_model_filepath` asks for: the simplified model as ONNX.

    The optimized form that runs is native code, which the cache keeps. Raises LoadError if data is missing,
    OSError if a file cannot be written.
    """
    from pathlib import Path

    from sardonyx import frontend
    from sardonyx.frontend.relocated import relocated
    from sardonyx.ort.external_file import ExternalFile

    assert model is not None
    path = Path(options.optimized_model_filepath)
    name, least = options._entries.get(_SAVED_WEIGHTS), options._entries.get(_SAVED_WEIGHTS_BYTES, "")
    with ExitStack() as stack:
        locate = None
        if name is not None:
            threshold = (int(least) if least.isdecimal() else 0) or _SAVED_WEIGHTS_LEAST
            locate = stack.enter_context(ExternalFile(path.parent, name, threshold))
        content = relocated(frontend.open_model(model, chosen), True, locate)
    path.write_bytes(content)


def with_files(model: str | bytes | None, options: SessionOptions, chosen: CompileOptions) -> CompileOptions:
    """The same options with the initialisers that lie in `add_external_initializers_from_files_in_memory`.

    Raises LoadError if a tensor lies outside of its file.
    """
    from sardonyx import frontend

    assert model is not None
    found = frontend.tensors_in(frontend.open_model(model, chosen), options._files)
    return replace(chosen, initializers={**found, **chosen.initializers})
