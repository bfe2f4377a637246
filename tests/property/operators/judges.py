"""Who knows the results of a call: ONNX's reference, also in float64; onnxruntime; a formula in numpy.

A judge takes the model, the feeds and all inputs of the call in order, and gives its outputs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from onnx import TensorProto, ValueInfoProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from sardonyx.base import dtype as dt
from tests.conformance import targets

Array = np.ndarray[Any, Any]
Judge = Callable[[Any, dict[str, Any], Sequence[Any]], list[Any]]
NARROW = (TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.BFLOAT16)


def reference(model: Any, feeds: dict[str, Any], inputs: Sequence[Any]) -> list[Any]:
    """ONNX's reference implementation, in the types of the model.

    Constant strings are fed: as constants it would lose the NULs at their end.
    """
    texts = [t for t in model.graph.initializer if t.data_type == TensorProto.STRING]
    if texts:
        given = {t.name: np.array([s.decode() for s in t.string_data], object).reshape(t.dims) for t in texts}
        copy = type(model)()
        copy.CopyFrom(model)
        for tensor in texts:
            copy.graph.initializer.remove(tensor)
        model, feeds = copy, {**given, **feeds}
    with np.errstate(all="ignore"):
        return list(ReferenceEvaluator(model).run(None, feeds))


def wide(model: Any, feeds: dict[str, Any], inputs: Sequence[Any]) -> list[Any]:
    """The reference with every narrower float as float64, its results rounded once.

    Only for operators whose results have a type of their inputs.
    """
    narrow = [v.dtype for v in inputs if isinstance(v, np.ndarray) and _is_narrow(v)]
    if not narrow:
        return reference(model, feeds, inputs)
    copy = type(model)()
    copy.CopyFrom(model)
    _widen(copy.graph)
    wider = {name: _widened(value) for name, value in feeds.items()}
    results = reference(copy, wider, inputs)
    with np.errstate(all="ignore"):
        return [_narrowed(value, narrow[0]) for value in results]


def _widen(graph: Any) -> None:
    for value in graph.input:
        if value.type.tensor_type.elem_type in NARROW:
            value.type.tensor_type.elem_type = TensorProto.DOUBLE
    for number, tensor in enumerate(graph.initializer):
        if tensor.data_type in NARROW:
            array = numpy_helper.to_array(tensor).astype(np.float64)
            graph.initializer[number].CopyFrom(numpy_helper.from_array(array, tensor.name))
    for attribute in (a for node in graph.node for a in node.attribute if a.HasField("g")):
        _widen(attribute.g)


def _is_narrow(array: Array) -> bool:
    return array.dtype != object and dt.by_numpy(array.dtype).onnx in NARROW


def _widened(value: Any) -> Any:
    return value.astype(np.float64) if isinstance(value, np.ndarray) and _is_narrow(value) else value


def _narrowed(value: Any, dtype: np.dtype[Any]) -> Any:
    wide_result = getattr(value, "dtype", None) == np.float64
    return value.astype(dtype) if wide_result else value


def peer(model: Any, feeds: dict[str, Any], inputs: Sequence[Any]) -> list[Any]:
    """What onnxruntime gives."""
    return list(targets.peer(model.SerializeToString()).run(None, feeds))


def sharing(inputs: Sequence[int], outputs: Sequence[int]) -> Judge:
    """What onnxruntime gives for an operator that wants these results in the memory of these fed inputs."""

    def judge(model: Any, feeds: dict[str, Any], given: Sequence[Any]) -> list[Any]:
        node = model.graph.node[0]
        shared = dict(zip((node.output[n] for n in outputs), (node.input[n] for n in inputs), strict=True))
        session = targets.peer(model.SerializeToString())
        binding = session.io_binding()
        held = {name: ort_value(value) for name, value in feeds.items()}
        for name, value in held.items():
            binding.bind_ortvalue_input(name, value)
        for name in (output.name for output in model.graph.output):
            if name in shared:
                binding.bind_ortvalue_output(name, held[shared[name]])
            else:
                binding.bind_output(name)
        session.run_with_iobinding(binding)
        return [value.copy() for value in binding.copy_outputs_to_cpu()]

    return judge


def ort_value(value: Array) -> Any:
    """An array in memory of onnxruntime's own."""
    import onnxruntime

    return onnxruntime.OrtValue.ortvalue_from_numpy(np.array(value, order="C"))


def called(name: str, domain: str, inputs: dict[str, Any], **attributes: Any) -> list[Any]:
    """What onnxruntime gives for one result of another operator than the one that is judged."""
    given = {key: value for key, value in inputs.items() if value is not None}
    names = [key if key in given else "" for key in inputs]
    node = helper.make_node(name, names, ["y"], domain=domain, **attributes)
    types = [
        helper.make_tensor_value_info(key, helper.np_dtype_to_tensor_dtype(v.dtype), v.shape)
        for key, v in given.items()
    ]
    graph = helper.make_graph([node], "called", types, [ValueInfoProto(name="y")])
    opsets = [helper.make_opsetid(domain, 1), helper.make_opsetid("", 21)]
    return peer(helper.make_model(graph, opset_imports=opsets, ir_version=10), given, ())


def formula(compute: Callable[..., Any], *, exact: bool = False) -> Judge:
    """Numpy: takes the inputs (None if absent), gives one array or a tuple of them.

    Narrower floats are computed as float64 and the results rounded once; `exact` leaves all types alone.
    """

    def judge(model: Any, feeds: dict[str, Any], inputs: Sequence[Any]) -> list[Any]:
        narrow = [v.dtype for v in inputs if isinstance(v, np.ndarray) and _is_narrow(v)]
        with np.errstate(all="ignore"):
            result = compute(*(inputs if exact else map(_widened, inputs)))
            results = list(result) if isinstance(result, tuple) else [result]
            return results if exact or not narrow else [_narrowed(value, narrow[0]) for value in results]

    return judge


@dataclass(frozen=True)
class Law:
    """What a judge gives for a result that is drawn: its type and shape, and what must hold of its values."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    holds: Callable[[Array], bool]
    text: str

    def broken_by(self, actual: Any) -> str | None:
        """What is wrong with a result."""
        if not isinstance(actual, np.ndarray) or (actual.dtype, actual.shape) != (self.dtype, self.shape):
            return f"{getattr(actual, 'dtype', actual)}{np.shape(actual)}, not {self.dtype}{self.shape}"
        return None if self.holds(actual.astype(np.float64)) else f"not {self.text}"
