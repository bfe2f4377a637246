"""Tree ensembles as ONNX writes them: what the writers of LightGBM's, XGBoost's and CatBoost's trees share.

Decides how nodes, leaves and sets of categories are listed, and which outputs a model has. Must not know who
trained the trees.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from onnx import TensorProto, numpy_helper

from sardonyx.authoring import GraphWriter, Tensors
from sardonyx.convert.framework import Array
from sardonyx.convert.frameworks.tabular.boosting import floor32

OPSET, OPSET_ML, IR_VERSION = 21, 3, 10
BITS = 8


@dataclass
class Ensemble:
    """Attributes of a TreeEnsembleRegressor over `width` columns, and over one more for each set of `sets`.

    `sets` numbers columns of categories with the sets that branches ask for.
    `double` says that columns and borders are float64.
    """

    width: int
    outputs: int
    nodes: dict[str, list[Any]] = field(default_factory=dict)
    targets: dict[str, list[Any]] = field(default_factory=dict)
    sets: dict[tuple[int, tuple[int, ...]], int] = field(default_factory=dict)
    double: bool = False

    def border(self, value: float) -> float:
        """A border as columns are compared with it: rows at most that large pass."""
        return value if self.double else floor32(value)

    def column_of(self, column: int, chosen: tuple[int, ...]) -> int:
        """The column that stands for a set of categories of a column."""
        return self.width + self.sets.setdefault((column, chosen), len(self.sets))

    def widened(self, graph: GraphWriter, x: str, columns: Callable[[int, list[Any]], str]) -> str:
        """`x` and a column for each set, if there are sets; `columns` writes those of one column of `x`.

        They stand by column, so branches that ask for them are numbered anew.
        """
        if not self.sets:
            return x
        by_column: dict[int, dict[int, Any]] = {}
        for number, (column, chosen) in enumerate(self.sets, self.width):
            by_column.setdefault(column, {})[number] = chosen
        blocks = [columns(column, list(sets.values())) for column, sets in by_column.items()]
        order = [number for sets in by_column.values() for number in sets]
        place = {number: at for at, number in enumerate(order, self.width)}
        features = self.nodes["nodes_featureids"]
        self.nodes["nodes_featureids"] = [place.get(feature, feature) for feature in features]
        return graph.node("Concat", [x, *blocks], axis=1)

    def branch(
        self,
        tree: int,
        number: int,
        mode: str,
        column: int,
        border: float,
        children: tuple[int, int],
        missing: bool,
    ) -> None:
        """A split; `children` are for rows that pass it and for others, `missing` says that NaN passes."""
        self._node(tree, number, mode, column, border, *children, int(missing))

    def leaf(self, tree: int, number: int, adds: Mapping[int, float]) -> None:
        """A leaf, and what it adds to which outputs."""
        self._node(tree, number, "LEAF", 0, 0.0, 0, 0, 0)
        for output, weight in adds.items():
            row = {"treeids": tree, "nodeids": number, "ids": output, "weights": float(weight)}
            _append(self.targets, "target", row)

    def _node(self, tree: int, number: int, *facts: Any) -> None:
        names = (
            *("modes", "featureids", "values"),
            *("truenodeids", "falsenodeids", "missing_value_tracks_true"),
        )
        row = {"treeids": tree, "nodeids": number, **dict(zip(names, facts, strict=True))}
        _append(self.nodes, "nodes", row)

    def sums(self, graph: GraphWriter, x: str, targets: int, base: Sequence[float] = ()) -> str:
        """The node: what all trees add to each output, [batch, targets]."""
        facts: dict[str, Any] = {
            **self.nodes,
            **self.targets,
            **({"base_values": list(base)} if len(base) else {}),
        }
        if self.double:
            for name in ("nodes_values", "target_weights", "base_values"):
                if name in facts:
                    facts[f"{name}_as_tensor"] = numpy_helper.from_array(
                        np.array(facts.pop(name), np.float64)
                    )
        return graph.node("TreeEnsembleRegressor", [x], domain="ai.onnx.ml", n_targets=targets, **facts)


def _append(lists: dict[str, list[Any]], prefix: str, row: Mapping[str, Any]) -> None:
    for name, value in row.items():
        lists.setdefault(f"{prefix}_{name}", []).append(value)


def members(graph: GraphWriter, value: str, sets: Sequence[Sequence[int]]) -> str:
    """[batch, sets]: 1 where a column [batch, 1] holds, cut to a whole number, one of a set, else 0.

    The numbers of all sets are rows of one table, a bit for each set: many sets take no more nodes than one.
    """
    known = np.unique(np.array([number for chosen in sets for number in chosen], np.float32))
    width = -(-len(sets) // BITS)
    table = np.zeros((len(known) + 1, width), np.uint8)
    for at, chosen in enumerate(sets):
        table[np.searchsorted(known, np.array(chosen, np.float32)), at % width] |= np.uint8(1 << at // width)
    row = graph.node(
        "LabelEncoder",
        [graph.node("Cast", [value], to=TensorProto.INT64)],
        domain="ai.onnx.ml",
        keys_int64s=[int(number) for number in known],
        values_int64s=list(range(len(known))),
        default_int64=len(known),
    )
    bits = graph.unnamed(np.array([[1 << bit] for bit in range(BITS)], np.uint8))
    found = graph.node("BitwiseAnd", [graph.node("Gather", [graph.unnamed(table), row]), bits])
    flags = graph.node("Cast", [found], to=TensorProto.BOOL)
    flat = graph.node("Reshape", [flags, graph.unnamed(np.array([-1, BITS * width]))])
    start, end, axis = (graph.unnamed(np.array([number])) for number in (0, len(sets), 1))
    return graph.node("Cast", [graph.node("Slice", [flat, start, end, axis])], to=TensorProto.FLOAT)


def valued(graph: GraphWriter, value: str, outputs: int) -> Tensors:
    """The output `value`."""
    graph.node("Identity", [value], "value")
    return {"value": (TensorProto.FLOAT, ["batch", outputs])}


def labelled(
    graph: GraphWriter, value: str, classes: Array, *, total: float = 1, border: float | None = None
) -> Tensors:
    """The outputs `label` and `probabilities`.

    Of two classes or a single one, `value` is that of a second, `total` is of both, and the label is the
    second above `border`; without one, it is the likeliest.
    """
    best = passed(graph, value, np.float32(border)) if len(classes) == 2 and border is not None else ""
    if len(classes) <= 2:
        other = graph.node("Sub", [graph.unnamed(np.float32(total)), value])
        value = graph.node("Concat", [other, value], axis=1)
    graph.node("Identity", [value], "probabilities")
    best = best or graph.node("ArgMax", ["probabilities"], axis=1, keepdims=0)
    kind, labels = _labels(classes)
    graph.node(
        "LabelEncoder",
        [best],
        "label",
        domain="ai.onnx.ml",
        keys_int64s=list(range(len(classes))),
        **{f"values_{kind}s": labels},
    )
    element = {"string": TensorProto.STRING, "float": TensorProto.FLOAT, "int64": TensorProto.INT64}[kind]
    shape = ["batch", max(2, len(classes))]
    return {"label": (element, ["batch"]), "probabilities": (TensorProto.FLOAT, shape)}


def passed(graph: GraphWriter, value: str, border: np.floating[Any], mode: str = "Greater") -> str:
    """[batch]: 1 where the value [batch, 1] is above a border of its type, else 0; or reaches it."""
    above = graph.node(mode, [value, graph.unnamed(border)])
    number = graph.node("Cast", [above], to=TensorProto.INT64)
    return graph.node("Squeeze", [number, graph.unnamed(np.array([1]))])


def _labels(classes: Array) -> tuple[str, list[Any]]:
    """Their kind and the labels as ONNX has them: numbers that are whole are integers."""
    if classes.dtype.kind in "OUS":
        return "string", [str(label) for label in classes]
    if any(label != int(label) for label in classes):
        return "float", [float(label) for label in classes]
    return "int64", [int(label) for label in classes]


def flagged(graph: GraphWriter, value: str, count: int) -> Tensors:
    """The outputs `label` and `probabilities` of several labels that are each there or not."""
    likely = graph.node("Greater", [value, graph.unnamed(np.float32(0.5))])
    graph.node("Cast", [likely], "label", to=TensorProto.INT64)
    graph.node("Identity", [value], "probabilities")
    shape = ["batch", count]
    return {"label": (TensorProto.INT64, shape), "probabilities": (TensorProto.FLOAT, shape)}


def narrowed(graph: GraphWriter, rows: str = "x") -> None:
    """Let nodes that read `rows` as float32 do so though they are float64."""
    for node in graph.nodes:
        node.input[:] = ["floats" if name == rows else name for name in node.input]
    graph.node("Cast", [rows], "floats", to=TensorProto.FLOAT)
    graph.nodes.insert(0, graph.nodes.pop())


def saved(
    graph: GraphWriter, name: str, width: int, outputs: Tensors, *, double: bool = False, rows: str = "x"
) -> bytes:
    """The ONNX file of a graph that reads `rows` float32 or float64 [batch, width]."""
    inputs = {rows: (TensorProto.DOUBLE if double else TensorProto.FLOAT, ["batch", width])}
    opsets = {"": OPSET, "ai.onnx.ml": OPSET_ML}
    model = graph.model(name, inputs, outputs, opsets, IR_VERSION)
    model.producer_name = "sardonyx"
    content: bytes = model.SerializeToString()
    return content
