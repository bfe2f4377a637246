"""What a model declares: types and sizes of its inputs and outputs, and who made it.

Decides which names of dimensions mean an equal size. Must not know nodes.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING

from sardonyx.base import dim as dims
from sardonyx.base import dtype as dt
from sardonyx.base.dim import Dim
from sardonyx.base.dtype import DType
from sardonyx.base.signature import ModelMeta, TensorInfo
from sardonyx.errors import LoadError
from sardonyx.ops.subgraph import Formal

if TYPE_CHECKING:
    import onnx

LEAST_SIZE = 1
"""Free sizes are taken to be at least this, which keeps the sizes of slices and broadcasts simple.

A feed with an empty axis needs a graph of its own, loaded with that size fixed at 0.
"""


def metadata(proto: onnx.ModelProto) -> ModelMeta:
    """Who made a model, and what is said about it."""
    return ModelMeta(
        proto.producer_name,
        proto.graph.name,
        proto.domain,
        proto.doc_string,
        proto.graph.doc_string,
        proto.model_version,
        {row.key: row.value for row in proto.metadata_props},
    )


def type_string(proto: onnx.TypeProto) -> str:
    """`tensor(float)`, `seq(tensor(int64))`, `map(string,tensor(float))`, ...; "" if undeclared."""
    match proto.WhichOneof("value"):
        case "tensor_type":
            return f"tensor({_element(proto.tensor_type.elem_type)})"
        case "sparse_tensor_type":
            return f"sparse_tensor({_element(proto.sparse_tensor_type.elem_type)})"
        case "sequence_type":
            return f"seq({type_string(proto.sequence_type.elem_type)})"
        case "optional_type":
            return f"optional({type_string(proto.optional_type.elem_type)})"
        case "map_type":
            key = _element(proto.map_type.key_type)
            return f"map({key},{type_string(proto.map_type.value_type)})"
    return ""


def _element(code: int) -> str:
    try:
        return dt.by_onnx(code).onnx_name
    except KeyError:
        text = f"the element type {code} is unknown" if code else "it has no element type"
        raise LoadError(text) from None


def tensor_of(proto: onnx.TypeProto) -> onnx.TypeProto.Tensor | onnx.TypeProto.SparseTensor | None:
    """The type of tensors inside any nesting of sequences and optionals, or None for maps."""
    match proto.WhichOneof("value"):
        case "tensor_type":
            return proto.tensor_type
        case "sparse_tensor_type":
            return proto.sparse_tensor_type
        case "sequence_type":
            return tensor_of(proto.sequence_type.elem_type)
        case "optional_type":
            return tensor_of(proto.optional_type.elem_type)
    return None


def info(proto: onnx.ValueInfoProto) -> TensorInfo:
    """A declared input or output as users see it."""
    shape = None
    optional = proto.type.WhichOneof("value") == "optional_type"
    tensor = _plain(proto.type.optional_type.elem_type if optional else proto.type)
    if tensor is not None and tensor.HasField("shape"):
        shape = tuple(_declared(d) for d in tensor.shape.dim)
    try:
        return TensorInfo(proto.name, type_string(proto.type), shape)
    except LoadError as error:
        raise LoadError(f'"{proto.name}": {error}') from error


def _plain(proto: onnx.TypeProto) -> onnx.TypeProto.Tensor | onnx.TypeProto.SparseTensor | None:
    """The type of a tensor that stands alone; a sparse one is a tensor like any other here."""
    return tensor_of(proto) if proto.WhichOneof("value") in ("tensor_type", "sparse_tensor_type") else None


def _declared(proto: onnx.TensorShapeProto.Dimension) -> int | str | None:
    if proto.HasField("dim_value"):
        return proto.dim_value if proto.dim_value >= 0 else None
    return proto.dim_param or None


def sizes(
    proto: onnx.ValueInfoProto,
    fix: Callable[[str, str], int | None],
    several: Collection[str],
    distinct: Collection[str] = (),
    least: int = LEAST_SIZE,
) -> tuple[Dim, ...] | None:
    """The sizes of a declared tensor: equal names are one symbol, nameless ones are called `input[axis]`.

    `fix(name, denotation)` may give a symbol a number; those in `several` are at least 2, others at least
    `least`. The names `distinct` do not mean equal sizes. None if the rank is undeclared.
    """
    tensor = tensor_of(proto.type)
    if tensor is None or not tensor.HasField("shape"):
        return None
    result: list[Dim] = []
    for axis, size in enumerate(tensor.shape.dim):
        declared = _declared(size)
        named = isinstance(declared, str) and _is_name(declared) and declared not in distinct
        name = str(declared) if named else f"{proto.name}[{axis}]"
        fixed = declared if isinstance(declared, int) else fix(name, size.denotation)
        result.append(dims.symbol(name, 2 if name in several else least) if fixed is None else fixed)
    return tuple(result)


def _is_name(text: str) -> bool:
    """Whether equal texts mean equal sizes; the names that the engine gives itself contain %."""
    return (
        "%" not in text
        and any(c.isalpha() for c in text)
        and text.lower() not in ("none", "null", "unk", "nan")
    )


def formal(proto: onnx.ValueInfoProto) -> Formal:
    """A declared input or output of a subgraph; named sizes count as open."""
    tensor = tensor_of(proto.type)
    if tensor is None:
        return Formal(proto.name, None, None)
    shape = None
    if tensor.HasField("shape"):
        declared = [_declared(d) for d in tensor.shape.dim]
        shape = tuple(d if isinstance(d, int) else None for d in declared)
    return Formal(proto.name, element_type(proto.type), shape)


def element_type(proto: onnx.TypeProto) -> DType | None:
    """The element type of a tensor; OBJECT for sequences, optionals and maps; None if undeclared."""
    if proto.WhichOneof("value") is None:
        return None
    if (tensor := _plain(proto)) is None:
        return dt.OBJECT
    code = tensor.elem_type
    if not code:
        return None
    _element(code)
    return dt.by_onnx(code)
