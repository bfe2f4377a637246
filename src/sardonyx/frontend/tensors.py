"""Reads tensors of an ONNX file as numpy arrays, without copying where the file allows it.

Decides where external data may lie. Must not know graphs or operators.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sardonyx.base import dtype as dt
from sardonyx.base.dataclass import dataclass, field
from sardonyx.base.folders import file_name, find
from sardonyx.base.mapped import MappedFile, map_file
from sardonyx.base.signature import MOST_AXES
from sardonyx.errors import LoadError
from sardonyx.frontend.messages import TensorProto
from sardonyx.frontend.names import written
from sardonyx.frontend.wire import MARK_BYTES, Taken

if TYPE_CHECKING:
    import onnx

Array = np.ndarray[Any, Any]
EXTERNAL = TensorProto.EXTERNAL


@dataclass(frozen=True, slots=True)
class TensorReader:
    """Decodes tensors; external data is named from the first of `folders` and must lie inside one of them."""

    folders: tuple[Path, ...]
    taken: Mapping[bytes, Taken] = field(default_factory=dict)
    _files: dict[Path, MappedFile | bytes] = field(default_factory=dict)

    def dense(self, proto: onnx.TensorProto) -> Array:
        """The array of a tensor; read-only. Raises LoadError if the bytes do not fit the declared shape."""
        if proto.data_type not in _KNOWN:
            raise LoadError(f'tensor "{proto.name}" has the unknown element type {proto.data_type}')
        dtype, shape = dt.by_onnx(proto.data_type), _shape(proto.dims, f'tensor "{proto.name}"')
        external = proto.data_location == EXTERNAL
        raw = self.external(proto) if external else self._own(proto)
        if raw is None or (dtype is dt.STRING and not external):
            return _typed(proto, dtype, shape)
        if dtype is dt.STRING:
            raise LoadError(f'tensor "{proto.name}": strings cannot be external data')
        expected = (prod(shape) * dtype.bits + 7) // 8
        if len(raw) != expected:
            what = f'tensor "{proto.name}" of {dtype.onnx_name}{list(shape)}'
            raise LoadError(f"{what} needs {expected} bytes, it has {len(raw)}")
        if dtype.bits >= 8:
            return np.frombuffer(raw, dtype.numpy).reshape(shape)
        packed = TensorProto(data_type=proto.data_type, dims=shape, raw_data=bytes(raw))
        return _typed(packed, dtype, shape)

    def sparse(self, proto: onnx.SparseTensorProto) -> Array:
        """The dense array of a sparse tensor (COO, linear or coordinate indices)."""
        values, indices = self.dense(proto.values), self.dense(proto.indices)
        shape = _shape(proto.dims, f'sparse tensor "{proto.values.name}"')
        if values.ndim != 1 or indices.dtype != np.int64:
            raise LoadError(f'sparse tensor "{proto.values.name}": wrong sizes or index type')
        if prod(shape) > _MOST_DENSE:
            raise LoadError(
                f'sparse tensor "{proto.values.name}": {list(shape)} is too large to be written out'
            )
        result = np.zeros(prod(shape), values.dtype)
        try:
            flat = indices if indices.ndim == 1 else np.ravel_multi_index(tuple(indices.T), shape)
            result[flat] = values
        except (IndexError, ValueError) as error:
            raise LoadError(f'sparse tensor "{proto.values.name}": {error}') from error
        return result.reshape(shape)

    def _own(self, proto: onnx.TensorProto) -> memoryview | bytes | None:
        if not proto.HasField("raw_data"):
            return None
        raw = proto.raw_data
        found = self.taken.get(raw) if len(raw) == MARK_BYTES else None
        return found.data if isinstance(found, np.ndarray) else raw

    def external(self, proto: onnx.TensorProto) -> memoryview:
        """The bytes of a tensor of external data. Raises LoadError if they are not there."""
        entries = outside(proto)
        path = _inside(self.folders, entries.get("location", ""), proto.name)
        content = self._content(path, proto.name)
        offset, length = (
            _number(entries, key, default, proto.name)
            for key, default in (("offset", 0), ("length", len(content)))
        )
        if "length" not in entries:
            length = len(content) - offset
        if offset < 0 or length < 0 or offset + length > len(content):
            raise LoadError(
                f'tensor "{proto.name}": bytes {offset}..{offset + length} lie outside of {path.name} '
                f"({len(content)} bytes)"
            )
        return memoryview(content)[offset : offset + length]

    def _content(self, path: Path, name: str) -> MappedFile | bytes:
        if path not in self._files:
            try:
                self._files[path] = map_file(path)
            except OSError as error:
                raise LoadError(f'tensor "{name}": external data {path} cannot be read: {error}') from error
        return self._files[path]


def outside(proto: onnx.TensorProto) -> dict[str, str]:
    """What a tensor says of where it lies in another file, by key; such text may name no file."""
    return {written(entry.key): written(entry.value) for entry in proto.external_data}


_MOST = 1 << 59
"""Elements of up to 16 bytes that 64 bits can address, those of an empty tensor along its other axes."""
_MOST_DENSE = 1 << 30
"""Elements of a sparse tensor, zeros included."""
_KNOWN = frozenset(d.onnx for d in dt.ALL)
_FIELDS = {
    dt.F32: ("float_data", np.float32),
    dt.F64: ("double_data", np.float64),
    dt.I64: ("int64_data", np.int64),
    **dict.fromkeys((dt.U32, dt.U64), ("uint64_data", np.uint64)),
    **dict.fromkeys((dt.I32, dt.I16, dt.U16, dt.I8, dt.U8, dt.BOOL, dt.F16), ("int32_data", np.int32)),
}
"""The field in which elements are listed, and its type; those of float16 are bits."""


def _shape(declared: Sequence[int], what: str) -> tuple[int, ...]:
    """The sizes of a tensor. Raises LoadError if no array has them."""
    shape = tuple(declared)
    if len(shape) > MOST_AXES:
        raise LoadError(f"{what} has {len(shape)} axes; at most {MOST_AXES} are possible")
    if any(n < 0 for n in shape):
        raise LoadError(f"{what} has the negative size {min(shape)}")
    if prod(filter(None, shape)) > _MOST:
        raise LoadError(f"{what} has sizes beyond all memory: {list(shape)}")
    return shape


def _typed(proto: onnx.TensorProto, dtype: dt.DType, shape: tuple[int, ...]) -> Array:
    try:
        if dtype is dt.STRING:
            # Texts of numpy's own type would lose the NULs at their end.
            return np.array([text.decode() for text in proto.string_data], object).reshape(shape)
        if dtype in _FIELDS:
            name, listed = _FIELDS[dtype]
            numbers = np.array(getattr(proto, name), listed)
            if dtype is dt.F16:
                numbers = numbers.astype(np.uint16).view(np.float16)
            if numbers.size != (wanted := prod(shape)):
                what = f'tensor "{proto.name}" of {dtype.onnx_name}{list(shape)}'
                raise LoadError(f"{what} needs {wanted} elements, it has {numbers.size}")
            return numbers.astype(dtype.numpy, copy=False).reshape(shape)
        from onnx import numpy_helper

        array = np.asarray(numpy_helper.to_array(proto))
    except LoadError:
        raise
    except Exception as error:
        raise LoadError(
            f'tensor "{proto.name}" of {dtype.onnx_name}{list(shape)} is damaged: {error}'
        ) from error
    return array if array.dtype == dtype.numpy else array.astype(dtype.numpy)


def _inside(folders: Sequence[Path], location: str, name: str) -> Path:
    path = find(folders, location)
    if path is None:
        fault = "leaves the folder of the model" if location.strip("\0") else "names no file"
        raise LoadError(
            f'tensor "{name}": External data path validation failed: {location!r} {fault}; '
            "it must be relative and stay inside the folder of the model"
        )
    # As the system takes it: a resolved path has lost a slash behind the file, and folders that do not exist.
    if not os.path.isfile(os.path.join(folders[0], file_name(location))):  # noqa: PTH113, PTH118
        there = os.path.join(folders[0], location)  # noqa: PTH118
        raise LoadError(f'tensor "{name}": there is no external data file {there}')
    return path


def _number(entries: Mapping[str, str], key: str, default: int, name: str) -> int:
    try:
        return int(entries.get(key, default))
    except ValueError:
        raise LoadError(
            f'tensor "{name}": {key}={entries[key]!r} of its external data is not a number'
        ) from None
