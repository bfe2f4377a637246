"""Attributes of nodes as Python values, and the check of a node against its operator's signature.

Must not know how nodes are ordered or where values come from.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from sardonyx.base import dtype as dt
from sardonyx.base.dataclass import dataclass
from sardonyx.errors import LoadError
from sardonyx.frontend.messages import AttributeProto, NodeProto, TypeProto
from sardonyx.frontend.tensors import TensorReader
from sardonyx.frontend.types import type_string
from sardonyx.frontend.wire import Taken
from sardonyx.ir.value import Value
from sardonyx.ops.table import Node, Operator, Texts

if TYPE_CHECKING:
    import onnx

_A = AttributeProto


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads attributes with a reader of tensors, and with what makes a body of a graph inside."""

    tensors: TensorReader
    subgraph: Callable[[onnx.GraphProto], Any]

    def value(self, proto: onnx.AttributeProto) -> Any:
        """An attribute as a Python value: tensors as arrays, graphs as subgraphs, types as type strings."""
        if proto.s in self.tensors.taken:
            return self.tensors.taken[proto.s]
        kind = proto.type or _guessed(proto)
        if kind not in _READERS:
            raise LoadError(f"the attribute {proto.name} has the unknown type {kind}")
        return _READERS[kind](proto, self)

    def decode(self, protos: Iterable[onnx.AttributeProto]) -> dict[str, Any]:
        """All attributes of a node by name."""
        result: dict[str, Any] = {}
        for proto in protos:
            if proto.name in result:
                raise LoadError(f"the attribute {proto.name} is given twice")
            if proto.name not in _HINTS:
                result[proto.name] = self.value(proto)
        return result


_READERS: dict[int, Callable[[onnx.AttributeProto, Reader], Any]] = {
    _A.FLOAT: lambda a, _: a.f,
    _A.INT: lambda a, _: a.i,
    _A.STRING: lambda a, _: _text(a.s),
    _A.TENSOR: lambda a, s: s.tensors.dense(a.t),
    _A.GRAPH: lambda a, s: s.subgraph(a.g),
    _A.FLOATS: lambda a, _: tuple(a.floats),
    _A.INTS: lambda a, _: tuple(a.ints),
    _A.STRINGS: lambda a, _: tuple(map(_text, a.strings)),
    _A.TENSORS: lambda a, s: tuple(map(s.tensors.dense, a.tensors)),
    _A.GRAPHS: lambda a, s: tuple(map(s.subgraph, a.graphs)),
    _A.SPARSE_TENSOR: lambda a, s: s.tensors.sparse(a.sparse_tensor),
    _A.SPARSE_TENSORS: lambda a, s: tuple(map(s.tensors.sparse, a.sparse_tensors)),
    _A.TYPE_PROTO: lambda a, _: type_string(a.tp),
    _A.TYPE_PROTOS: lambda a, _: tuple(map(type_string, a.type_protos)),
}


def _guessed(proto: onnx.AttributeProto) -> int:
    for name, kind in (("f", _A.FLOAT), ("i", _A.INT), ("s", _A.STRING), ("t", _A.TENSOR), ("g", _A.GRAPH)):
        if proto.HasField(name):
            return int(kind)
    for name, kind in (("floats", _A.FLOATS), ("ints", _A.INTS), ("strings", _A.STRINGS)):
        if len(getattr(proto, name)):
            return int(kind)
    return 0


_HINTS = {"consumed_inputs"}
"""Attributes of opset 1 that tell which inputs may be overwritten."""


def resolved(node: onnx.NodeProto, arguments: Mapping[str, onnx.AttributeProto]) -> onnx.NodeProto:
    """A node of a function body with the arguments of the call in place of references to them."""
    plain = NodeProto()
    plain.CopyFrom(node)
    del plain.attribute[:]
    for proto in node.attribute:
        if proto.ref_attr_name not in arguments and proto.ref_attr_name:
            continue
        added = plain.attribute.add()
        added.CopyFrom(arguments[proto.ref_attr_name] if proto.ref_attr_name else proto)
        added.name = proto.name
    return plain


def whole(node: onnx.NodeProto, taken: Mapping[bytes, Taken]) -> onnx.NodeProto:
    """A node with the lists and the tensor that were taken out of it."""
    if taken.keys().isdisjoint([part for proto in node.attribute for part in (proto.s, proto.t.raw_data)]):
        return node
    plain = NodeProto()
    plain.CopyFrom(node)
    for proto in plain.attribute:
        content = taken.get(proto.t.raw_data)
        if isinstance(content, np.ndarray):
            proto.t.raw_data = content.tobytes()
        if (found := taken.get(proto.s)) is None:
            continue
        proto.ClearField("s")
        if isinstance(found, Texts):
            proto.strings.extend(
                [found.names[code].encode("utf-8", "surrogateescape") for code in found.codes]
            )
        else:
            (proto.floats if found.dtype.kind == "f" else proto.ints).extend(found.tolist())
    return plain


def _whole(given: Any) -> bool:
    return isinstance(given, int)


def _real(given: Any) -> bool:
    return isinstance(given, int | float)


def _word(given: Any) -> bool:
    return isinstance(given, str)


def _every(test: Callable[[Any], bool], taken: str = "") -> Callable[[Any], bool]:
    """Whether all of a list pass; a long one may be an array with a dtype of one of these kinds."""
    return lambda given: (
        given.dtype.kind in taken
        if isinstance(given, np.ndarray)
        else isinstance(given, tuple) and all(map(test, given))
    )


def _texts(given: Any) -> bool:
    return isinstance(given, Texts) or (isinstance(given, tuple) and all(map(_word, given)))


def _tensor(given: Any) -> bool:
    return isinstance(given, np.ndarray)


def _graph(given: Any) -> bool:
    return not isinstance(given, int | float | str | tuple | np.ndarray | Texts)


def _anything(_: Any) -> bool:
    return True


_FITS: dict[str, Callable[[Any], bool]] = {
    "int": _whole,
    "float": _real,
    "str": _word,
    "Ints": _every(_whole, "i"),
    "Pads": _every(_whole, "i"),
    "Floats": _every(_real, "if"),
    "Strings": _texts,
    "Sequence[int]": _every(_whole, "i"),
    "Sequence[float]": _every(_real, "if"),
    "tuple[int, ...]": _every(_whole, "i"),
    "tuple[float, ...]": _every(_real, "if"),
    "tuple[str, ...]": _texts,
    "Array": _tensor,
    "SubGraph": _graph,
}
"""Whether a value is of the type that a signature names."""


def _kind_of(written: str) -> str:
    return written.partition("|")[0].strip()


def _said(given: Any) -> str:
    """A value in a message: numbers and texts as they are, others by what they are."""
    if _graph(given):
        return "a graph"
    return repr(given) if isinstance(given, int | float | str | tuple) else "a tensor"


@cache
def _test_of(written: str) -> Callable[[Any], bool]:
    """The test of values for a type as a signature writes it."""
    return _FITS.get(_kind_of(written), _anything)


def check(operator: Operator, node: Node, inputs: Sequence[Value | None]) -> None:
    """Raise LoadError if the node does not fit the signature of its operator."""
    if (unknown := node.attributes.keys() - operator.attributes) and operator.strict:
        raise LoadError(f"it has no attribute {', '.join(sorted(unknown))} (opset {node.opset})")
    for name, given in node.attributes.items():
        if name in unknown:
            continue
        if not _test_of(operator.attributes[name])(given):
            kind = _kind_of(operator.attributes[name])
            raise LoadError(f"its attribute {name} is {_said(given)}, of another type than {kind}")
    if absent := operator.required - node.attributes.keys():
        raise LoadError(f"it lacks the attribute {', '.join(sorted(absent))}")
    least, most = operator.inputs
    if most is not None and len(inputs) > most:
        raise LoadError(f"it has {len(inputs)} inputs, at most {most} are allowed")
    if len(inputs) < least or any(
        given is None and n not in operator.gaps for n, given in enumerate(inputs[:least])
    ):
        raise LoadError(f"it needs {least} inputs")
    if operator.rest == 0 and not inputs:
        raise LoadError("it needs at least one input")
    if operator.rest is not None and None in inputs[operator.rest :]:
        raise LoadError(f"its input {inputs.index(None, operator.rest)} is missing")


def type_proto(value: Value | None) -> onnx.TypeProto:
    """The ONNX type of a value, unknown sizes left open; an empty one if it is not known."""
    if value is None:
        return TypeProto()
    from onnx import helper

    if value.dtype is not dt.OBJECT:
        shape = [n if isinstance(n, int) else None for n in value.shape]
        return helper.make_tensor_type_proto(value.dtype.onnx, shape)
    if len(value.results) != 1 or value.results[0][0] is dt.OBJECT:
        return TypeProto()
    return helper.make_sequence_type_proto(helper.make_tensor_type_proto(value.results[0][0].onnx, None))
