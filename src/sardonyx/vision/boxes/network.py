"""The ONNX graphs of a detector: from a picture of any size to maps of features, and from there to boxes.

Both begin with the same nodes, so what is learned from is what is asked later. Runs nothing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto

from sardonyx.authoring import Tensors
from sardonyx.vision.boxes.cells import FARTHEST, GRID, MOST, NEAREST, OVERLAP, middles
from sardonyx.vision.graph import PICTURE, Graph
from sardonyx.vision.network import BACKBONES, Network

Array = np.ndarray[Any, Any]
SIDE = GRID * 8
LEVELS = 3  # of the network's maps, at strides 8, 16 and 32
NETWORKS = {name: BACKBONES[name].networks[0] for name in ("efficientnet_lite0", "efficientnet_lite2")}


@dataclass(frozen=True)
class Head:
    """What was learned, over the features of a cell, level beside level: [n].

    Attributes:
        weights, bias: [n, classes + 1], [classes + 1]; the last is that nothing has its middle here.
        sides, sides_bias: logarithms of distances to left, top, right, bottom: [n, 4], [4].
        widths: how many features each level has.
        least: boxes with a smaller score are not told.
        classes: the names in the order of the scores.
    """

    weights: Array
    bias: Array
    sides: Array
    sides_bias: Array
    widths: tuple[int, ...]
    least: float
    classes: tuple[str, ...]


def maps_model(network: Network) -> onnx.ModelProto:
    """`picture` uint8 [height, width, 3] -> one float32 [1, n, side, side] for each level."""
    graph = Graph()
    outputs: Tensors = {name: (TensorProto.FLOAT, [1, None, None, None]) for name in _maps(graph, network)}
    return graph.finished("custom_maps", outputs, {})


def _maps(graph: Graph, network: Network) -> list[str]:
    scaled = graph.scaled(network.name, SIDE, graph.batch(PICTURE))
    return [graph.rooted(level, 1) for level in graph.grafted(network.name, scaled, network.maps)]


def whole_model(network: Network, head: Head, about: Mapping[str, str]) -> onnx.ModelProto:
    """`picture` uint8 [height, width, 3] -> `boxes` [n, 4] in pixels, `labels`, `scores`, `classes` [n].

    The best come first; of boxes of a class that overlap by more than 0.4 only the best is told.
    """
    graph = Graph()
    said = _said(graph, _maps(graph, network), head)
    count = len(head.classes)
    scores = graph.node("Softmax", [_part(graph, said, "scores of cells", 0, count + 1)], "chances", axis=1)
    chances = _part(graph, scores, "likely", 0, count)
    corners = _corners(graph, _part(graph, said, "sides", count + 1, count + 5))
    _chosen(graph, corners, chances, head)
    outputs: Tensors = {
        "boxes": (TensorProto.FLOAT, ["found", 4]),
        "labels": (TensorProto.STRING, ["found"]),
        "scores": (TensorProto.FLOAT, ["found"]),
        "classes": (TensorProto.INT64, ["found"]),
    }
    told = {"labels": json.dumps(head.classes), "task": "object-detection", **about}
    return graph.finished("custom_boxes", outputs, told)


def _said(graph: Graph, maps: list[str], head: Head) -> str:
    """What all cells say [1, classes + 5, cells]: each level by itself, coarse ones repeated, added up."""
    weights = np.concatenate([head.weights, head.sides], 1).T.astype(np.float32)
    bias = np.concatenate([head.bias, head.sides_bias]).astype(np.float32)
    parts, begin = [], 0
    for level, (name, width) in enumerate(zip(maps, head.widths, strict=True)):
        part = graph.constant(f"head.{level}", weights[:, begin : begin + width, None, None].copy())
        begin += width
        inputs = [name, part] if level else [name, part, graph.constant("head.bias", bias)]
        parts.append(graph.node("Conv", inputs, f"said.{level}"))
        if level:
            wide = graph.constant(f"repeated.{level}", np.array([1, 1, 2**level, 2**level], np.float32))
            how = {"mode": "nearest", "nearest_mode": "floor", "coordinate_transformation_mode": "asymmetric"}
            parts[-1] = graph.node("Resize", [parts[-1], "", wide], f"repeated said.{level}", **how)
    whole = graph.node("Sum", parts, "said")
    flat = graph.constant("cells in a row", np.array([1, len(bias), GRID * GRID]))
    return graph.node("Reshape", [whole, flat], "said of cells")


def _part(graph: Graph, value: str, name: str, begin: int, end: int) -> str:
    ends = [graph.constant(f"{name} {at}", np.array([at])) for at in (begin, end)]
    return graph.node("Slice", [value, *ends, graph.constant("second axis", np.array([1]))], name)


def _corners(graph: Graph, sides: str) -> str:
    """Boxes [1, cells, 4] as left, top, right, bottom, shares of the picture's sides."""
    limits = [graph.constant(f"side {at}", np.float32(at)) for at in (NEAREST, FARTHEST)]
    away = graph.node("Exp", [graph.node("Clip", [sides, *limits], "sides.held")], "sides.away")
    signs = graph.constant("signs", np.array([[-1], [-1], [1], [1]], np.float32))
    at = graph.constant("middles", np.tile(middles().T, (2, 1)).astype(np.float32))
    moved = graph.node("Add", [graph.node("Mul", [away, signs], "sides.signed"), at], "sides.placed")
    edges = [graph.constant(f"edge {at}", np.float32(at)) for at in (0, 1)]
    inside = graph.node("Clip", [moved, *edges], "corners of cells")
    return graph.node("Transpose", [inside], "corners", perm=[0, 2, 1])


def _chosen(graph: Graph, corners: str, chances: str, head: Head) -> None:
    limits = [np.array([MOST]), *(np.array([one], np.float32) for one in (OVERLAP, head.least))]
    names = ("most of a class", "largest overlap", "least score")
    held = [graph.constant(name, value) for name, value in zip(names, limits, strict=True)]
    found = graph.node("NonMaxSuppression", [corners, chances, *held], "found")
    kind, cell = (_column(graph, found, at) for at in (1, 2))
    pair = _part(graph, found, "kind and cell", 1, 3)
    first = graph.constant("first of a batch", np.array([0]))
    table = graph.node("Squeeze", [chances, first], "table of chances")
    scores = graph.node("GatherND", [table, pair], "scores found")
    count = graph.node("Shape", [scores], "count")
    ranked = graph.several("TopK", [scores, count], ["scores", "order"], axis=0)[1]
    kinds = graph.node("Gather", [kind, ranked], "classes")
    graph.node(
        "LabelEncoder",
        [kinds],
        "labels",
        domain="ai.onnx.ml",
        keys_int64s=list(range(len(head.classes))),
        values_strings=list(head.classes),
    )
    rows = graph.node("Squeeze", [corners, first], "corners of all")
    places = graph.node("Gather", [cell, ranked], "cells found")
    shares = graph.node("Gather", [rows, places], "shares")
    size = graph.node("Cast", [graph.node("Shape", [PICTURE], "height and width", end=2)], "size", to=1)
    wide = graph.node("Gather", [size, graph.constant("width, height", np.array([1, 0, 1, 0]))], "sizes")
    graph.node("Mul", [shares, wide], "boxes")


def _column(graph: Graph, table: str, at: int) -> str:
    part = _part(graph, table, f"column {at} alone", at, at + 1)
    return graph.node("Squeeze", [part, graph.constant("column", np.array([1]))], f"column {at}")
