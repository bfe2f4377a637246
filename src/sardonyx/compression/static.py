"""Weights and activations in 8 bits by ranges seen on samples: QuantizeLinear, DequantizeLinear pairs (QDQ).

Which tensors get a pair is decided here, what their ranges are in `calibration.py`. The outputs of a model
stay floats.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np
import onnx

from sardonyx.compression.integers import Floats, signed, unsigned
from sardonyx.compression.scope import Nodes, Scope, identity
from sardonyx.compression.scope import rewrite as rewrite_nodes

Range = tuple[float, float]

PRODUCTS = ("Conv", "ConvTranspose", "MatMul", "Gemm")
SUMS = ("Add", "Sum", "AveragePool", "GlobalAveragePool", "Concat")
SCALED = ("Mul", "Resize", "LeakyRelu", "HardSwish")
"""Can be named, too: what they make is often of many magnitudes."""
MOVES = (
    *("MaxPool", "Reshape", "Transpose", "Flatten", "Squeeze", "Unsqueeze", "Slice", "Gather"),
    *("DepthToSpace", "SpaceToDepth", "Expand", "Identity"),
)
LIMITS = ("Relu", "Clip")
KINDS = (*PRODUCTS, *SUMS)
OPSET = 13


def activations(
    model: onnx.ModelProto,
    floats: Collection[str],
    leave: Collection[str] = (),
    kinds: Collection[str] = KINDS,
) -> list[str]:
    """The tensors whose ranges `quantized` needs: what products and sums read, and what they make.

    Args:
        model: of opset 13 or newer.
        floats: names of float32 values.
        leave: identities of nodes to leave alone.
        kinds: operators to rewrite.
    """
    graph = model.graph
    weights = {tensor.name for tensor in graph.initializer}
    weights |= {node.output[0] for node in graph.node if node.op_type == "Constant"}
    found: dict[str, None] = {}
    reads: set[str] = set()
    for node in graph.node:
        if not _chosen(node, kinds, leave):
            continue
        read = node.input[:2] if node.op_type in PRODUCTS else _data(node)
        reads.update(read)
        for name in (*read, *node.output[:1]):
            if name and name not in weights and name in floats:
                found[name] = None
    outputs = {value.name for value in graph.output}
    limited = _limited(graph, outputs)
    shown = dict.fromkeys(limited.get(name, name) for name in found)
    return [name for name in shown if name not in outputs or name in reads]


def _chosen(node: onnx.NodeProto, kinds: Collection[str], leave: Collection[str]) -> bool:
    return not node.domain and node.op_type in kinds and identity(node) not in leave


def _data(node: onnx.NodeProto) -> list[str]:
    return list(node.input) if node.op_type in ("Add", "Sum", "Mul", "Concat") else list(node.input[:1])


def _limited(graph: onnx.GraphProto, outputs: Collection[str]) -> dict[str, str]:
    """Values that only a Relu or a Clip reads, with what that makes: its range is the one that counts."""
    readers: dict[str, list[onnx.NodeProto]] = {}
    for node in graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)
    return {
        name: nodes[0].output[0]
        for name, nodes in readers.items()
        if name not in outputs
        and len(nodes) == 1
        and nodes[0].op_type in LIMITS
        and nodes[0].input[0] == name
    }


def quantized(
    model: onnx.ModelProto,
    ranges: Mapping[str, Range],
    leave: Collection[str] = (),
    kinds: Collection[str] = KINDS,
    per_channel: bool = True,
    bits: int = 8,
) -> list[str]:
    """Rewrite a model in place.

    Args:
        model: of opset 13 or newer.
        ranges: the smallest and the largest number of each tensor of `activations`.
        leave: identities of nodes to leave alone.
        kinds: operators to rewrite, of `KINDS` and `SCALED`.
        per_channel: a scale for each output channel of a weight rather than one for all.
        bits: of weights; 7 for engines whose 8-bit sums saturate.

    Returns:
        The identities of the nodes that were rewritten; those in bodies are left alone.
    """
    writer = _Writer(model.graph, dict(ranges), per_channel, bits)
    done: list[str] = []

    def written(scope: Scope, node: onnx.NodeProto) -> Nodes | None:
        if scope.outer is not None or identity(node) in leave:
            return None
        if _chosen(node, kinds, leave):
            done.append(identity(node))
            return writer.read_and_made(scope, node)
        return writer.passed(scope, node)

    rewrite_nodes(Scope(model.graph), written)
    return done


class _Writer:
    """Puts pairs behind values and before products; knows which value has one."""

    def __init__(
        self, graph: onnx.GraphProto, ranges: dict[str, Range], per_channel: bool, bits: int
    ) -> None:
        self.ranges, self.per_channel, self.bits = ranges, per_channel, bits
        self.outputs = {value.name for value in graph.output}
        self.limited = _limited(graph, self.outputs)
        self.paired: dict[str, tuple[str, str, str]] = {}
        """The value behind the pair, scale and zero point, by the name of the value before it."""
        self.weights: dict[tuple[str, int | None], list[str]] = {}

    def passed(self, scope: Scope, node: onnx.NodeProto) -> Nodes | None:
        """A node that is left alone: what it only moves keeps the points it has."""
        if node.domain or node.op_type not in (*MOVES, *LIMITS):
            return None
        source = self.paired.get(node.input[0])
        made: Nodes = [node]
        if node.op_type in LIMITS:
            self._pair(scope, node.output[0], made)
        elif source is not None and node.output[0] not in self.outputs:
            node.input[0] = source[0]
            self._behind(scope, node.output[0], source[1:], made)
        return made

    def read_and_made(self, scope: Scope, node: onnx.NodeProto) -> Nodes:
        """A product or a sum: pairs before what it reads, and behind what it makes."""
        made: Nodes = []
        own = onnx.NodeProto.FromString(node.SerializeToString())
        data = range(2) if node.op_type in PRODUCTS else range(len(_data(node)))
        for at in data:
            if at < len(node.input) and node.input[at]:
                own.input[at] = self._read(scope, node, at, made)
        if node.op_type in PRODUCTS and len(node.input) > 2 and node.input[2]:
            own.input[2] = self._bias(scope, node, made)
        made.append(own)
        if node.output[0] not in self.limited:
            self._pair(scope, node.output[0], made)
        return made

    def _read(self, scope: Scope, node: onnx.NodeProto, at: int, made: Nodes) -> str:
        name = str(node.input[at])
        weight = scope.bounded_weight(name)
        if weight is None:
            if name not in self.paired:
                self._pair(scope, name, made)
            return self.paired[name][0] if name in self.paired else name
        if not weight.size:
            return name
        axis = _channel_axis(node, weight.ndim) if self.per_channel and at == 1 else None
        return self._constant(scope, name, weight, axis, made)

    def _constant(self, scope: Scope, name: str, weight: Floats, axis: int | None, made: Nodes) -> str:
        held = self.weights.get((name, axis))
        if held is None:
            points, scale = signed(weight, axis, self.bits)
            zero = np.zeros(scale.shape, np.int8)
            parts = (points, "points"), (scale, "scale"), (zero, "zero")
            held = self.weights[name, axis] = [scope.add(value, f"{name}_{part}") for value, part in parts]
        attributes = {} if axis is None else {"axis": axis}
        return scope.put(made, "DequantizeLinear", held, f"{name}_dequantized", **attributes)

    def _bias(self, scope: Scope, node: onnx.NodeProto, made: Nodes) -> str:
        """The bias in the unit of the sums, where both scales are constants."""
        name = str(node.input[2])
        bias, source = scope.bounded_weight(name), self.paired.get(node.input[0])
        axis = _channel_axis(node, len(getattr(scope.float_weight(node.input[1]), "shape", ())))
        held = self.weights.get((node.input[1], axis if self.per_channel else None))
        said = {row.name: onnx.helper.get_attribute_value(row) for row in node.attribute}
        plain = said.get("alpha", 1) == 1 and said.get("beta", 1) == 1
        if bias is None or bias.ndim != 1 or source is None or held is None or not plain:
            return name
        scales = [np.asarray(scope.weight(name), np.float64) for name in (source[1], held[1])]
        unit = scales[0] * scales[1]
        points = np.rint(bias / unit)
        if np.abs(points).max(initial=0) >= 2**31:
            return name
        scale = np.broadcast_to(unit, bias.shape) if unit.ndim else unit
        names = [scope.add(points.astype(np.int32), f"{name}_points")]
        names.append(scope.add(scale.astype(np.float32), f"{name}_scale"))
        attributes = {"axis": 0} if unit.ndim else {}
        return scope.put(made, "DequantizeLinear", names, f"{name}_dequantized", **attributes)

    def _pair(self, scope: Scope, name: str, made: Nodes) -> None:
        if name in self.ranges and name not in self.paired:
            scale, zero = unsigned(*self.ranges[name])
            held = scope.add(scale, f"{name}_scale"), scope.add(zero, f"{name}_zero")
            self._behind(scope, name, held, made)

    def _behind(self, scope: Scope, name: str, held: tuple[str, ...], made: Nodes) -> None:
        points = scope.put(made, "QuantizeLinear", [name, *held], f"{name}_points")
        value = scope.put(made, "DequantizeLinear", [points, *held], f"{name}_dequantized")
        self.paired[name] = value, held[0], held[1]


def _channel_axis(node: onnx.NodeProto, rank: int) -> int | None:
    """The axis of a weight that runs over output channels, or None if several do."""
    if node.op_type == "Conv":
        return 0
    if node.op_type == "ConvTranspose":
        groups = next((row.i for row in node.attribute if row.name == "group"), 1)
        return 1 if groups == 1 else None
    if node.op_type == "Gemm":
        return 0 if any(row.name == "transB" and row.i for row in node.attribute) else 1
    return 1 if node.op_type == "MatMul" and rank == 2 else None
