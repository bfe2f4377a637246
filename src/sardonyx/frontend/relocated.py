"""Writes a model back as ONNX with its initialisers where someone says they lie.

Must not know who decides that, nor write files: what lies outside is only named.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from sardonyx.base import dtype as dt
from sardonyx.base.named import NamedTuple
from sardonyx.frontend.external import tensors_of
from sardonyx.frontend.load import Source
from sardonyx.frontend.messages import ModelProto
from sardonyx.frontend.tensors import EXTERNAL, TensorReader

if TYPE_CHECKING:
    import onnx


class FileRange(NamedTuple):
    """Where the bytes of a tensor lie outside of its model."""

    location: str
    offset: int
    length: int


Locate: TypeAlias = Callable[[str, np.ndarray[Any, Any], FileRange | None], FileRange | None]
"""From name, content and present place of an initialiser to its new place; None is inside the model."""


def relocated(source: Source, simplify: bool = False, locate: Locate | None = None) -> bytes:
    """The bytes of a model; without `locate` all its data lies inside.

    Raises LoadError if data is missing.
    """
    reader = TensorReader(source.folders)
    proto = _copy(source, simplify)
    for tensor, initialiser in tensors_of(proto):
        if locate is not None and initialiser and _is_plain(tensor):
            place = locate(tensor.name, reader.dense(tensor), _place(tensor))
            if place is not None:
                _put(tensor, place)
                continue
        if tensor.data_location == EXTERNAL:
            data = bytes(reader.external(tensor))
            _clear(tensor)
            tensor.raw_data = data
    content: bytes = proto.SerializeToString()
    return content


def _copy(source: Source, simplify: bool) -> onnx.ModelProto:
    proto = ModelProto()
    proto.CopyFrom(source.proto)
    if simplify:
        from sardonyx.frontend.simplified import simplified

        return simplified(proto)
    return proto


def _is_plain(tensor: onnx.TensorProto) -> bool:
    """Whether its bytes are those of its array: text and elements of less than a byte are packed."""
    dtype = dt.by_onnx(tensor.data_type)
    return dtype is not dt.STRING and dtype.bits >= 8


def _place(tensor: onnx.TensorProto) -> FileRange | None:
    if tensor.data_location != EXTERNAL:
        return None
    entries = {entry.key: entry.value for entry in tensor.external_data}
    return FileRange(
        entries.get("location", ""), int(entries.get("offset", 0)), int(entries.get("length", 0))
    )


def _clear(tensor: onnx.TensorProto) -> None:
    """Leave name, type and sizes."""
    kept = ("name", "doc_string", "data_type", "dims", "metadata_props")
    for field, _ in tensor.ListFields():
        if field.name not in kept:
            tensor.ClearField(field.name)


def _put(tensor: onnx.TensorProto, place: FileRange) -> None:
    _clear(tensor)
    tensor.data_location = EXTERNAL
    for key, value in place._asdict().items():
        tensor.external_data.add(key=key, value=str(value))
