"""ModelCompiler: a model is compiled into the cache and written back with its data where it is asked to lie.

There are no nodes that hold compiled code: native code lies in the cache, for every load of the model.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from sardonyx.base.dataclass import dataclass
from sardonyx.ort.enums import GraphOptimizationLevel, NamedValue, members
from sardonyx.ort.exceptions import Fail, InvalidArgument, status
from sardonyx.ort.external_file import ExternalFile
from sardonyx.ort.options import SessionOptions, as_int
from sardonyx.ort.ortvalue import OrtValue
from sardonyx.ort.session import InferenceSession
from sardonyx.ort.session_config import read_source
from sardonyx.ort.status import load_status

if TYPE_CHECKING:
    from sardonyx.frontend.relocated import FileRange, Locate


class OrtCompileApiFlags(NamedValue):
    """What counts as an error of a compilation; members are combined by `|`."""

    __slots__ = ()
    NONE: ClassVar[OrtCompileApiFlags]
    ERROR_IF_NO_NODES_COMPILED: ClassVar[OrtCompileApiFlags]
    ERROR_IF_OUTPUT_FILE_EXISTS: ClassVar[OrtCompileApiFlags]

    def __or__(self, other: Any) -> int:
        return int(self) | int(other)

    __ror__ = __or__

    def __and__(self, other: Any) -> int:
        return int(self) & int(other)

    __rand__ = __and__


members(OrtCompileApiFlags, NONE=0, ERROR_IF_NO_NODES_COMPILED=1, ERROR_IF_OUTPUT_FILE_EXISTS=2)


@dataclass(frozen=True, slots=True)
class OrtExternalInitializerInfo:
    """Where an initialiser lies outside of its model."""

    filepath: str
    file_offset: int
    byte_size: int


Located = Callable[[str, OrtValue, OrtExternalInitializerInfo | None], OrtExternalInitializerInfo | None]


class ModelCompiler:
    """Compiles a model into the cache, and writes it where a caller asks for it."""

    def __init__(
        self,
        sess_options: SessionOptions,
        input_model_path_or_bytes: str | os.PathLike[str] | bytes,
        embed_compiled_data_into_model: bool = False,
        external_initializers_file_path: str | os.PathLike[str] | None = None,
        external_initializers_size_threshold: int = 1024,
        flags: int | OrtCompileApiFlags = 0,
        graph_optimization_level: GraphOptimizationLevel = GraphOptimizationLevel.ORT_DISABLE_ALL,
        get_initializer_location_func: Located | None = None,
    ) -> None:
        """Say what is compiled; nothing is read yet.

        Args:
            sess_options: the options of the sessions that will load the model.
            input_model_path_or_bytes: a file name or the bytes of an ONNX model.
            embed_compiled_data_into_model: without effect, compiled code lies in the cache.
            external_initializers_file_path: a file beside the written model for large initialisers.
            external_initializers_size_threshold: those of at least so many bytes are large.
            flags: members of OrtCompileApiFlags.
            graph_optimization_level: above ORT_DISABLE_ALL the written model is simplified.
            get_initializer_location_func: asked for each initialiser where it lies; None is inside the model.

        Raises:
            ValueError: the model is empty, or both ways to place initialisers are given.
            TypeError: an argument has the wrong type.
        """
        origin: Any = input_model_path_or_bytes
        if not isinstance(origin, (str, os.PathLike, bytes)):
            raise TypeError(
                f"Unable to load from type '{type(origin)}'; give a path, or bytes as those of "
                "onnx.ModelProto.SerializeToString()"
            )
        if not origin:
            raise ValueError(f"Input model {'bytes array' if isinstance(origin, bytes) else 'path'} is empty")
        path: Any = external_initializers_file_path
        if path is not None and not isinstance(path, (str, os.PathLike)):
            raise TypeError(f"Output external initializer filepath is of unexpected type '{type(path)}'")
        if path and get_initializer_location_func is not None:
            raise ValueError(
                "Cannot initialize ModelCompiler with both `external_initializers_file_path` "
                "and `get_initializer_location_func`"
            )
        options: Any = sess_options
        if not isinstance(options, SessionOptions):
            given = type(options).__name__
            raise TypeError(
                f"ModelCompiler: incompatible constructor arguments: expected SessionOptions, got {given}"
            )
        self._origin = origin if isinstance(origin, bytes) else os.fspath(origin)
        self._options = options
        self._weights = os.fspath(path or "")
        self._threshold = as_int("ModelCompiler()", external_initializers_size_threshold)
        self._flags = as_int("ModelCompiler()", flags)
        self._simplify = int(graph_optimization_level) > 0
        self._locate = get_initializer_location_func

    def compile_to_file(self, output_model_path: str | os.PathLike[str] | None = None) -> None:
        """Write the model; without a name beside the original, `model.onnx` as `model_ctx.onnx`."""
        if output_model_path is None and isinstance(self._origin, str):
            output_model_path = Path(self._origin).with_name(f"{Path(self._origin).stem}_ctx.onnx")
        if not isinstance(output_model_path, (str, os.PathLike)):
            raise TypeError(f"Output model's filepath is of unexpected type '{type(output_model_path)}'")
        if not os.fspath(output_model_path):
            raise status(InvalidArgument, "Output model path must not be empty.")
        path = Path(output_model_path)
        if self._flags & OrtCompileApiFlags.ERROR_IF_OUTPUT_FILE_EXISTS and path.exists():
            raise status(
                Fail,
                f"Failed to generate EP context model since the file '{path}' exists already. Please remove "
                "the EP context model if you want to re-generate it.",
            )
        content = self._compiled(path.parent)
        try:
            path.write_bytes(content)
        except OSError as error:
            text = f'open file "{path}" failed: {error.strerror or error}'
            raise status(InvalidArgument, text) from error

    def compile_to_bytes(self) -> bytes:
        """The model; a file of large initialisers is written to the current folder."""
        return self._compiled(Path())

    def compile_to_stream(self, write_function: Callable[[bytes], object]) -> None:
        """Pass the model to a function. Raises Fail with the text of what the function raises."""
        write: Any = write_function
        if not callable(write):
            given = type(write).__name__
            raise TypeError(
                f"compile_to_stream(): incompatible function arguments: expected a function, got {given}"
            )
        _asked(write, self.compile_to_bytes())

    def set_ep_context_data_write_func(self, write_func: Callable[[str, Any], None]) -> None:
        """Accept a function for data of other providers, of which there is none."""

    def clear_ep_context_data_write_func(self) -> None:
        """Nothing to clear."""

    def set_ep_context_binary_information(
        self, output_directory: str | os.PathLike[str], model_name: str
    ) -> None:
        """Accept a place for files of other providers, which write none."""
        folder = os.fspath(output_directory)
        if not folder or not model_name:
            raise status(InvalidArgument, "output_dir or model_name is empty.")
        if not Path(folder).suffix and not folder.endswith(os.sep):
            raise status(InvalidArgument, "output_dir is not a valid directory.")

    def _compiled(self, folder: Path) -> bytes:
        origin = self._origin
        if isinstance(origin, str) and not Path(origin).exists():
            raise status(InvalidArgument, f'Input model path does not exist: "{origin}"')
        InferenceSession(origin, self._options).compile_fully()
        if self._flags & OrtCompileApiFlags.ERROR_IF_NO_NODES_COMPILED:
            raise status(
                Fail,
                "Unable to compile any nodes. Check that the session EPs support compilation and can execute "
                "at least one subgraph in the model. This package writes no compiled nodes: native code is "
                "kept in its cache.",
            )
        from sardonyx.frontend.relocated import relocated

        with ExitStack() as stack:
            locate: Locate | None = None
            if self._locate is not None:
                locate = _by_function(self._locate)
            elif self._weights:
                locate = stack.enter_context(ExternalFile(folder, self._weights, self._threshold))
            try:
                return relocated(read_source(origin, self._options), self._simplify, locate)
            except (OSError, ValueError) as error:
                raise load_status(error, origin if isinstance(origin, str) else None) from error


def _by_function(function: Located) -> Locate:
    from sardonyx.frontend.relocated import FileRange

    def locate(name: str, array: np.ndarray[Any, Any], place: FileRange | None) -> FileRange | None:
        before = OrtExternalInitializerInfo(*place) if place is not None else None
        found = _asked(function, name, OrtValue(array), before)
        if found is None:
            return None
        if not isinstance(found, OrtExternalInitializerInfo):
            given = type(found).__name__
            raise status(
                Fail, f"get_initializer_location_func gave {given}, not OrtExternalInitializerInfo or None."
            )
        return FileRange(found.filepath, found.file_offset, found.byte_size)

    return locate


def _asked(function: Callable[..., Any], *arguments: Any) -> Any:
    """What a function of the caller gives. Raises Fail with the text of what it raises."""
    try:
        return function(*arguments)
    except Exception as error:
        raise status(Fail, f"{type(error).__name__}: {error}") from error
