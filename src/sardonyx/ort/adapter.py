"""Files of LoRA adapters: parameters by name, which a run feeds in place of initialisers of the model.

Decides what such a file may hold; the format is onnxruntime's flatbuffer of the identifier TORT. Must not
know sessions.
"""

from __future__ import annotations

import operator
import os
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from sardonyx.base import dtype as dt
from sardonyx.ort.ortvalue import OrtValue

FORMAT_VERSION = 1
_IDENTIFIER = b"TORT"
_ALIGNMENT = 8
_HEADER = 8

_REFUSED = (dt.STRING, dt.BOOL)
_PARAMETERS = 3
_NAME, _DIMS, _TYPE, _DATA = range(4)
"""Numbers of fields: of an adapter after its three versions, and of a parameter."""


def _library() -> Any:
    try:
        import flatbuffers
    except ImportError as error:
        raise RuntimeError(f"adapters need {error.name}: pip install 'sardonyx[lora]'") from error
    return flatbuffers


class _Table:
    """A table of a flatbuffer whose every access is checked to lie inside."""

    def __init__(self, content: bytearray, at: int) -> None:
        from flatbuffers.table import Table

        self.content = content
        self.table = Table(content, at)

    def _at(self, field: int) -> int:
        """Where a field lies in this table; 0 if it is missing."""
        offset: int = self.table.Offset(4 + 2 * field)
        return offset

    def number(self, field: int) -> int:
        """An int32; 0 if it is missing."""
        at = self._at(field)
        return struct.unpack_from("<i", self.content, self.table.Pos + at)[0] if at else 0

    def vector(self, field: int, dtype: str) -> np.ndarray[Any, Any] | None:
        """The elements of a vector, in the memory of the file; None if it is missing."""
        at = self._at(field)
        if not at:
            return None
        count, start = self.table.VectorLen(at), self.table.Vector(at)
        return np.frombuffer(self.content, dtype, count, start)

    def tables(self, field: int) -> list[_Table]:
        """The tables of a vector of them."""
        at = self._at(field)
        offsets = self.vector(field, "<u4")
        if offsets is None:
            return []
        start = self.table.Vector(at)
        return [_Table(self.content, start + 4 * n + int(offset)) for n, offset in enumerate(offsets)]


def _parameter(table: _Table) -> tuple[str, OrtValue]:
    text, sizes, data = (table.vector(f, d) for f, d in ((_NAME, "u1"), (_DIMS, "<i8"), (_DATA, "u1")))
    if text is None:
        raise ValueError("a parameter has no name")
    name = text.tobytes().decode()
    if sizes is None or not len(sizes) or data is None:
        raise ValueError(f"parameter '{name}' lacks its sizes or its data")
    code = table.number(_TYPE)
    try:
        element = dt.by_onnx(code)
    except KeyError:
        element = dt.STRING
    if element in _REFUSED or element.numpy.kind == "c":
        raise ValueError(f"parameter '{name}' has the element type {code}, which adapters cannot have")
    shape = [int(n) for n in sizes]
    expected = element.numpy.itemsize
    for size in shape:
        expected *= size
    if min(shape) < 0 or expected != len(data):
        raise ValueError(f"parameter '{name}' of the sizes {shape} has {len(data)} bytes")
    aligned = data if not data.ctypes.data % element.numpy.alignment else data.copy()
    return name, OrtValue(aligned.view(element.numpy).reshape(shape))


def _read(path: str | os.PathLike[str]) -> AdapterFormat:
    content = bytearray(Path(path).read_bytes())
    if len(content) <= _HEADER or content[4:8] != _IDENTIFIER:
        raise ValueError("it is not an adapter file")
    _library()
    root = _Table(content, struct.unpack_from("<I", content)[0])
    adapter = AdapterFormat()
    adapter._format_version, adapter.adapter_version, adapter.model_version = map(root.number, range(3))
    if adapter._format_version != FORMAT_VERSION:
        raise ValueError(f"its format version {adapter._format_version} is not {FORMAT_VERSION}")
    adapter.parameters = dict(_parameter(p) for p in root.tables(_PARAMETERS))
    return adapter


def _vector(builder: Any, data: bytes, count: int, size: int) -> int:
    """Write a vector of `count` elements of `size` bytes; where it lies."""
    builder.StartVector(size, count, _ALIGNMENT)
    builder.head -= len(data)
    builder.Bytes[builder.head : builder.head + len(data)] = data
    where: int = builder.EndVector()
    return where


def _written(name: str, value: OrtValue, builder: Any) -> int:
    if not value.is_tensor():
        raise RuntimeError(f"Lora adapter parameter '{name}' must be a tensor, not {value.data_type()}.")
    array = value.numpy()
    element = dt.by_onnx(value.element_type())
    if element in _REFUSED or array.dtype.kind == "c" or not array.ndim:
        what = "has no axis" if not array.ndim else f"has element type {element.onnx_name.upper()}"
        raise RuntimeError(f"Lora adapter parameter '{name}' {what}, which adapter files cannot express.")
    text = builder.CreateString(name)
    sizes = _vector(builder, np.asarray(array.shape, "<i8").tobytes(), array.ndim, 8)
    data = _vector(builder, array.tobytes(), array.nbytes, 1)
    builder.StartObject(4)
    builder.PrependUOffsetTRelativeSlot(_NAME, text, 0)
    builder.PrependUOffsetTRelativeSlot(_DIMS, sizes, 0)
    builder.PrependInt32Slot(_TYPE, element.onnx, 0)
    builder.PrependUOffsetTRelativeSlot(_DATA, data, 0)
    where: int = builder.EndObject()
    return where


class AdapterFormat:
    """The content of an adapter file."""

    def __init__(self, adapter: AdapterFormat | None = None) -> None:
        self._format_version = FORMAT_VERSION
        self.adapter_version = 0
        self.model_version = 0
        self.parameters: dict[str, OrtValue] = {}
        if adapter is not None:
            vars(self).update(vars(adapter), parameters=dict(adapter.parameters))

    @staticmethod
    def read_adapter(file_path: str | os.PathLike[str]) -> AdapterFormat:
        """What a file holds. Raises RuntimeError if it cannot be read or is not an adapter."""
        try:
            return _read(file_path)
        except (OSError, ValueError, TypeError, IndexError, struct.error) as error:
            raise RuntimeError(f"The adapter {os.fspath(file_path)} cannot be loaded: {error}") from error

    def export_adapter(self, file_path: str | os.PathLike[str]) -> None:
        """Write a file. Raises RuntimeError, with nothing written, for what the format cannot express."""
        builder = _library().Builder(1024)
        tables = [_written(name, value, builder) for name, value in self.parameters.items()]
        builder.StartVector(4, len(tables), 4)
        for table in reversed(tables):
            builder.PrependUOffsetTRelative(table)
        parameters = builder.EndVector()
        builder.StartObject(_PARAMETERS + 1)
        versions = (FORMAT_VERSION, self.adapter_version, self.model_version)
        for number, version in enumerate(versions):
            builder.PrependInt32Slot(number, version, 0)
        builder.PrependUOffsetTRelativeSlot(_PARAMETERS, parameters, 0)
        builder.Finish(builder.EndObject(), _IDENTIFIER)
        try:
            Path(file_path).write_bytes(builder.Output())
        except OSError as error:
            raise RuntimeError(f"Failed to open file:{os.fspath(file_path)} for writing: {error}") from error

    @property
    def format_version(self) -> int:
        """The version of the file format."""
        return self._format_version

    def get_format_version(self) -> int:
        """The version of the file format."""
        return self._format_version

    def set_adapter_version(self, adapter_version: int) -> None:
        """Say which version of the adapter this is."""
        self.adapter_version = operator.index(adapter_version)

    def get_adapter_version(self) -> int:
        """The version of the adapter."""
        return self.adapter_version

    def set_model_version(self, model_version: int) -> None:
        """Say for which version of a model the adapter was made."""
        self.model_version = operator.index(model_version)

    def get_model_version(self) -> int:
        """The version of the model that the adapter was made for."""
        return self.model_version

    def set_parameters(self, params: Mapping[str, OrtValue]) -> None:
        """Replace all parameters."""
        self.parameters = {name: value._ortvalue for name, value in params.items()}

    def get_parameters(self) -> dict[str, OrtValue]:
        """The parameters by name; they share the memory of the file that was read."""
        return dict(self.parameters)


class LoraAdapter:
    """An adapter that `RunOptions.add_active_adapter` takes."""

    def __init__(self) -> None:
        self.parameters: Mapping[str, OrtValue] = {}

    def Load(self, file_path: str | os.PathLike[str]) -> None:  # noqa: N802 - onnxruntime's name
        """Read a file; see `AdapterFormat.read_adapter`. If that fails, what was loaded before stays."""
        self.parameters = AdapterFormat.read_adapter(file_path).parameters
