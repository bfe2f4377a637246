"""A quantised model judged decision by decision.

A number between two points falls to one of them for a difference of 1e-7, and what follows from that point
differs by a hundredth: the outputs of two correct engines may be far apart. So every point that an engine
chose is taken as it is, all that lies between such choices is computed from them in float64, and each point
must be the one nearest to that exact number, or as near. Other roundings to whole numbers are choices too,
and a quantised LSTM, which chooses points at every step, is judged step by step.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import onnx
from onnx import numpy_helper

from tests.models.double import in_double_precision
from tests.models.quantised_lstm import exact_outputs

Array = np.ndarray[Any, Any]
Known = Mapping[str, Array]
Run = Callable[[bytes, Known], Known]
"""(model, feeds) -> all its outputs by name."""
Follow = Callable[[bytes, Known], Iterable[tuple[str, Array]]]
"""(model, feeds) -> its outputs by name, each as soon as it is known."""

WHOLE = {"Round": (0.5, 0.5), "Floor": (0.0, 1.0), "Ceil": (1.0, 0.0)}
"""How far below and above a whole number those lie that round to it."""
CHOOSING = ("QuantizeLinear", "DynamicQuantizeLinear", "DynamicQuantizeLSTM", "Cast", *WHOLE)
UINT8_POINTS = 255


class Judged(NamedTuple):
    """How far an engine is from exact.

    `excesses` by tensor of points: by how much an exact number is out of reach of its point, at most.
    `outputs` by name: what the engine computed, and what follows exactly from the points it chose.
    """

    excesses: dict[str, float]
    outputs: dict[str, tuple[Array, Array]]


def by_float64(model: bytes, feeds: Known) -> Iterator[tuple[str, Array]]:
    """What float64 makes of a model."""
    names = [output.name for output in onnx.load_from_string(model).graph.output]
    yield from zip(names, in_double_precision(model, feeds), strict=True)


def judge(model: Any, feeds: Known, run: Run, exactly: Follow = by_float64) -> Judged:
    """An engine's choices in a model, and its outputs as they follow from them by `exactly`."""
    constants = _constants(model.graph)
    known = {**constants, **feeds}
    maybe = _candidates(model)
    found = {**known, **run(_opened(model, maybe, known).SerializeToString(), feeds)}
    nodes = [n for n in maybe if _chooses(n, found) and n.input[0] not in constants]
    chosen = {name: found[name] for node in nodes for name in node.output if name}
    rest = _after_choices(model, nodes, {**known, **chosen})
    known |= chosen
    layers = [node for node in nodes if node.op_type == "DynamicQuantizeLSTM"]
    kept = {o.name for o in model.graph.output} | {node.input[0] for node in layers}
    exact = exactly(rest.SerializeToString(), {**feeds, **chosen})
    excesses = dict(_followed([n for n in nodes if n not in layers], exact, known, kept))
    outputs = {o.name: (found[o.name], known[o.name]) for o in model.graph.output}
    for node in layers:
        inputs = [found[name] if name else None for name in node.input]
        y = chosen[node.output[0]]
        outputs[node.input[0]] = found[node.input[0]], known[node.input[0]]
        outputs[node.output[0]] = y, exact_outputs(node, inputs, y)
    return Judged(excesses, outputs)


def _followed(
    nodes: list[Any], exact: Iterable[tuple[str, Array]], known: dict[str, Array], kept: set[str]
) -> Iterator[tuple[str, float]]:
    """The excesses of nodes, each as soon as its inputs are known; of results only `kept` stay known."""
    waiting = nodes
    for name, value in itertools.chain([("", np.empty(0))], exact):
        known[name] = value
        for node in [n for n in waiting if known.keys() >= set(n.input)]:
            yield from _excesses(node, known)
            waiting.remove(node)
        if name and name not in kept and not any(name in node.input for node in waiting):
            del known[name]
    assert not waiting, f"{waiting[0].name} reads what nothing gave"


def _constants(graph: Any) -> dict[str, Array]:
    known = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type == "Constant" and node.attribute[0].name == "value":
            known[node.output[0]] = numpy_helper.to_array(node.attribute[0].t)
    return known


def _chooses(node: Any, found: Known) -> bool:
    """Whether a node gives points for real numbers."""
    if node.op_type != "Cast":
        return node.op_type in CHOOSING
    given, made = found[node.input[0]], found[node.output[0]]
    return given.dtype.kind == "f" and made.dtype.kind in "iu"


def _candidates(model: Any) -> list[Any]:
    """The nodes that choose, and casts of what may be real numbers to whole ones."""
    infos = onnx.shape_inference.infer_shapes(model).graph
    types = {i.name: i.type.tensor_type.elem_type for i in (*infos.input, *infos.value_info)}

    def may_choose(cast: Any) -> bool:
        return _kind(types.get(cast.input[0], 0)) in "f?" and _kind(_to(cast)) in "iu"

    found = [node for node in model.graph.node if node.op_type in CHOOSING]
    return [node for node in found if node.op_type != "Cast" or may_choose(node)]


def _to(node: Any) -> int:
    return int(next(a.i for a in node.attribute if a.name == "to"))


def _kind(number: int) -> str:
    """The kind of numpy's type for one of ONNX; a question mark if it is not known."""
    return onnx.helper.tensor_dtype_to_np_dtype(number).kind if number else "?"


def _opened(model: Any, nodes: list[Any], known: Known) -> Any:
    """The model with what leaves its choices as further outputs, and what enters casts and layers."""
    opened = onnx.ModelProto()
    opened.CopyFrom(model)
    entering = ("Cast", "DynamicQuantizeLSTM")
    inputs = (name for n in nodes if n.op_type in entering for name in n.input)
    _add_outputs(opened.graph, itertools.chain((name for n in nodes for name in n.output), inputs), known)
    return opened


def _after_choices(model: Any, nodes: list[Any], known: Known) -> Any:
    """The model without these nodes: what they gave is fed, what entered them is a further output."""
    rest = onnx.ModelProto()
    rest.CopyFrom(model)
    graph = rest.graph
    gone = {node.output[0] for node in nodes}
    for node in [node for node in graph.node if node.output[0] in gone]:
        graph.node.remove(node)
    for output in [output for output in graph.output if output.name in known]:
        graph.output.remove(output)
    for name in (name for node in nodes for name in node.output if name):
        kind = onnx.helper.np_dtype_to_tensor_dtype(known[name].dtype)
        graph.input.append(onnx.helper.make_tensor_value_info(name, kind, known[name].shape))
    _add_outputs(graph, (name for node in nodes for name in node.input), known)
    return rest


def _add_outputs(graph: Any, names: Iterator[str], known: Known) -> None:
    present = {*known, *(output.name for output in graph.output), ""}
    for name in dict.fromkeys(names):
        if name not in present:
            graph.output.append(onnx.ValueInfoProto(name=name))


def _excesses(node: Any, known: Known) -> Iterator[tuple[str, float]]:
    """For each tensor that a node chose, its name and by how much the worst exact number is out of reach."""
    x = known[node.input[0]].astype(np.float64)
    if node.op_type == "Cast":
        whole = known[node.output[0]]
        yield node.output[0], _out_of_reach(whole, x, 1.0 * (whole <= 0), 1.0 * (whole >= 0))
        return
    if node.op_type in WHOLE:
        yield node.output[0], _out_of_reach(known[node.output[0]], x, *WHOLE[node.op_type])
        return
    if node.op_type == "QuantizeLinear":
        chosen, step, zero = node.output[0], known[node.input[1]], known[node.input[2]]
    else:
        chosen, scale, origin = node.output
        low, high = min(x.min(), 0.0), max(x.max(), 0.0)
        exact = (high - low) / UINT8_POINTS
        yield scale, abs(float(known[scale]) / exact - 1) * UINT8_POINTS
        yield origin, _out_of_reach(known[origin], np.asarray(-low / exact))
        step, zero = known[scale], known[origin]
    yield chosen, _out_of_reach(known[chosen], x / step.astype(np.float64) + zero)


def _out_of_reach(points: Array, exact: Array, below: Any = 0.5, above: Any = 0.5) -> float:
    """By how much an exact number is more than so far from its point; an end of the type has no limit."""
    if points.dtype.kind != "f":
        exact = np.clip(exact, np.iinfo(points.dtype).min, np.iinfo(points.dtype).max)
    apart = exact - points
    return float(np.maximum(-below - apart, apart - above).max(initial=0))
