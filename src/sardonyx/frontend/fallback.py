"""Runs a node through ONNX's reference evaluator, where no operator of ours has a meaning for it.

Decides what the results look like by ONNX's own type inference. Slow; always recorded by the loader.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from sardonyx.base import dtype as dt
from sardonyx.base.dim import Dim
from sardonyx.base.dtype import DType
from sardonyx.errors import RunError, UnsupportedOp
from sardonyx.ir import prims
from sardonyx.ir.data_size import data_sized
from sardonyx.ir.graph import Graph
from sardonyx.ir.value import Value, many

Array = np.ndarray[Any, Any]
_CONST_LIMIT = 4096


def reference(node: Any, opset: int, inputs: Sequence[Value | None]) -> tuple[Value, ...]:
    """The results of a NodeProto as a `reference` primitive.

    Raises UnsupportedOp if the reference evaluator does not know the operator or its results have no
    inferable rank.
    """
    if any(a.type in (5, 10) for a in node.attribute):
        raise UnsupportedOp("a subgraph cannot be run by the reference evaluator")
    if any(v is not None and v.dtype is dt.OBJECT for v in inputs):
        raise UnsupportedOp("only tensors can be passed to the reference evaluator")
    plain = _positional(node, inputs)
    text = plain.SerializeToString(deterministic=True)
    try:
        _evaluator(text, opset)
    except Exception as error:
        raise UnsupportedOp(f"the reference evaluator does not know it: {error}") from error
    results = _infer(plain, opset, inputs)
    args = [v for v in inputs if v is not None]
    attrs = {"node": text, "opset": opset}
    if any(n is None for _, shape in results for n in shape):
        return data_sized("reference", args, attrs, results)
    return many("reference", args, attrs, [(d, tuple(n for n in s if n is not None)) for d, s in results])


def node_of(result: Value) -> bytes:
    """The node that one of the `reference` results runs."""
    (value,) = result.args
    text: bytes = value.attrs["node"]
    return text


def nodes_of(graph: Graph) -> Iterator[bytes]:
    """The nodes that a graph and the bodies in it run through the reference evaluator."""
    for value in graph.order():
        if value.prim == "reference":
            yield value.attrs["node"]
        for body in value.attrs.values():
            if isinstance(body, Graph):
                yield from nodes_of(body)


def _positional(node: Any, inputs: Sequence[Value | None]) -> Any:
    plain = type(node)()
    plain.CopyFrom(node)
    plain.ClearField("name")
    del plain.input[:], plain.output[:]
    plain.input.extend("" if v is None else f"i{n}" for n, v in enumerate(inputs))
    plain.output.extend(f"o{n}" if name else "" for n, name in enumerate(node.output))
    return plain


def _infer(
    node: Any, opset: int, inputs: Sequence[Value | None]
) -> list[tuple[DType, tuple[Dim | None, ...]]]:
    import onnx
    from onnx import helper, numpy_helper

    names: dict[Dim, str] = {}
    known: dict[str, Dim] = {}
    infos, initial = [], []
    for name, value in zip(node.input, inputs, strict=True):
        if value is None:
            continue
        shape: list[int | str] = []
        for size in value.shape:
            label = size if isinstance(size, int) else names.setdefault(size, f"s{len(names)}")
            if isinstance(label, str):
                known[label] = size
            shape.append(label)
        infos.append(helper.make_tensor_value_info(name, value.dtype.onnx, shape))
        if value.is_numeric_const and value.data is not None and value.data.size <= _CONST_LIMIT:
            initial.append(numpy_helper.from_array(np.asarray(value.data, order="C"), name))
    outputs = [onnx.ValueInfoProto(name=name) for name in node.output if name]
    graph = helper.make_graph([node], "reference", infos, outputs, initial)
    imports = [helper.make_opsetid(node.domain, opset)]
    try:
        model = helper.make_model(graph, opset_imports=imports)
        inferred = onnx.shape_inference.infer_shapes(model, strict_mode=True, data_prop=True)
    except Exception as error:
        raise UnsupportedOp(f"its result types cannot be inferred: {error}") from error
    results: list[tuple[DType, tuple[Dim | None, ...]]] = []
    for info in inferred.graph.output:
        tensor = info.type.tensor_type
        if not tensor.HasField("shape") or not tensor.elem_type:
            raise UnsupportedOp(f"the rank of its result {info.name} cannot be inferred")
        sizes = [d.dim_value if d.HasField("dim_value") else known.get(d.dim_param) for d in tensor.shape.dim]
        results.append((dt.by_onnx(tensor.elem_type), tuple(sizes)))
    return results


@lru_cache(maxsize=256)
def _evaluator(node: bytes, opset: int) -> Any:
    import onnx
    from onnx import helper
    from onnx.reference import ReferenceEvaluator

    from sardonyx.frontend import corrected

    proto = onnx.NodeProto.FromString(node)
    infos = [onnx.ValueInfoProto(name=name) for name in dict.fromkeys(proto.input) if name]
    outputs = [onnx.ValueInfoProto(name=name) for name in proto.output if name]
    graph = helper.make_graph([proto], "reference", infos, outputs)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid(proto.domain, opset)])
    return ReferenceEvaluator(model, new_ops=list(corrected.operators()))


def _run(*arrays: Array, node: bytes, opset: int) -> tuple[Array, ...]:
    evaluator = _evaluator(node, opset)
    names = list(evaluator.input_names)
    try:
        results = evaluator.run(None, dict(zip(names, arrays, strict=True)))
    except Exception as error:
        raise RunError(f"ONNX's reference evaluator failed: {type(error).__name__}: {error}") from error
    return tuple(np.asarray(r) for r in results)


prims.register("reference", "opaque", _run)
