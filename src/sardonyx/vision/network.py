"""The ONNX graphs: from a picture of any size to features, and from there to labels and probabilities.

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

from sardonyx.vision.graph import PICTURE, Graph
from sardonyx.vision.pictures import NONE

Array = np.ndarray[Any, Any]
FITS = ("stretch", "crop")


@dataclass(frozen=True)
class Network:
    """A network of the zoo that takes pictures of `side`, as (pixel - 127) / 128.

    `maps` are values inside it whose means over the plane tell of texture what its end has left out.
    """

    name: str
    side: int
    maps: tuple[str, ...]


@dataclass(frozen=True)
class Backbone:
    """Networks whose features stand side by side."""

    name: str
    networks: tuple[Network, ...]

    @property
    def side(self) -> int:
        """The largest side of a picture that is looked at."""
        return max(network.side for network in self.networks)


LITE0 = Network("efficientnet_lite0", 224, ("_blocks.4.sum", "_blocks.10.sum", "_blocks.15._project_conv"))
LITE2 = Network("efficientnet_lite2", 260, ("_blocks.6.sum", "_blocks.14.sum", "_blocks.20._project_conv"))
BACKBONES = {
    row.name: row
    for row in (
        Backbone("efficientnet_lite0+2", (LITE0, LITE2)),
        Backbone("efficientnet_lite2", (LITE2,)),
        Backbone("efficientnet_lite0", (LITE0,)),
    )
}


@dataclass(frozen=True)
class Head:
    """What was learned, over features [n].

    Attributes:
        weights, bias: scores are features @ weights + bias: [n, classes], [classes].
        middle: the mean of all features that were learned from: [n].
        directions: in which these differ most, each of length 1: [n, k].
        most: further than this from the space of those directions, and a picture is `none of these`.
        classes: the labels in the order of the scores.
        several: each label is there or not by itself.
    """

    weights: Array
    bias: Array
    middle: Array
    directions: Array
    most: float
    classes: tuple[str, ...]
    several: bool


def features_model(backbone: Backbone, fit: str) -> onnx.ModelProto:
    """`picture` uint8 [height, width, 3] -> `features` float32 [1, n], made of groups of length 1."""
    graph = Graph()
    features = _features(graph, backbone, fit)
    return graph.finished("custom_vision", {features: (TensorProto.FLOAT, [1, None])}, {})


def whole_model(backbone: Backbone, fit: str, head: Head, about: Mapping[str, str]) -> onnx.ModelProto:
    """`picture` uint8 [height, width, 3] -> `label` [1], `probabilities` [1, classes], `strangeness` [1]."""
    graph = Graph()
    features = _features(graph, backbone, fit)
    weights = graph.constant("head.weights", head.weights.astype(np.float32))
    scores = graph.node(
        "Gemm", [features, weights, graph.constant("head.bias", head.bias.astype(np.float32))], "scores"
    )
    if head.several:
        graph.node("Sigmoid", [scores], "probabilities")
    else:
        graph.node("Softmax", [scores], "probabilities", axis=-1)
    _labelled(graph, features, scores, head)
    count = len(head.classes)
    outputs = {
        "label": (TensorProto.STRING, [1]),
        "probabilities": (TensorProto.FLOAT, [1, count]),
        "strangeness": (TensorProto.FLOAT, [1]),
    }
    told = {"labels": json.dumps(head.classes), "task": "image-classification", **about}
    return graph.finished("custom_vision", outputs, told)


def _labelled(graph: Graph, features: str, scores: str, head: Head) -> None:
    """The best label, or none: if all are unlikely, or the picture is far from all that were learned from."""
    best = graph.node("ArgMax", [scores], "best", axis=-1, keepdims=0)
    apart = graph.node(
        "Sub", [features, graph.constant("middle", head.middle.astype(np.float32))], "features.apart"
    )
    axis = graph.constant("last axis", np.array([-1]))
    known = graph.constant("directions", head.directions.astype(np.float32))
    back = graph.constant("directions back", head.directions.T.astype(np.float32))
    along = graph.node("MatMul", [apart, known], "features.along")
    rest = graph.node(
        "Sub", [apart, graph.node("MatMul", [along, back], "features.explained")], "features.rest"
    )
    length = graph.node("ReduceL2", [rest, axis], "features.distance", keepdims=0)
    far = graph.constant("most", np.array(head.most, np.float32))
    distance = graph.node("Div", [length, far], "strangeness")
    strange = graph.node("Greater", [distance, graph.constant("border", np.array(1, np.float32))], "strange")
    if head.several:
        largest = graph.node("ReduceMax", [scores, axis], "largest", keepdims=0)
        unlikely = graph.node("Less", [largest, graph.constant("nought", np.float32(0))], "unlikely")
        strange = graph.node("Or", [strange, unlikely], "strange or unlikely")
    nothing = graph.constant("nothing", np.array(len(head.classes)))
    index = graph.node("Where", [strange, nothing, best], "index")
    graph.node(
        "LabelEncoder",
        [index],
        "label",
        domain="ai.onnx.ml",
        keys_int64s=list(range(len(head.classes) + 1)),
        values_strings=[*head.classes, NONE],
        default_string=NONE,
    )


def _features(graph: Graph, backbone: Backbone, fit: str) -> str:
    batch = graph.batch(_cropped(graph) if fit == "crop" else PICTURE)
    parts = [part for network in backbone.networks for part in _seen(graph, network, batch)]
    return graph.node("Concat", parts, "features", axis=1)


def _seen(graph: Graph, network: Network, batch: str) -> list[str]:
    """The features of one network [1, n], group by group: roots, so that few large ones do not rule."""
    scaled = graph.scaled(network.name, network.side, batch)
    features, *maps = graph.grafted(network.name, scaled, ["features", *network.maps])
    plane = graph.constant(f"{network.name}/plane of maps", np.array([2, 3]))
    means = [graph.node("ReduceMean", [at, plane], f"{at}.mean", keepdims=0) for at in maps]
    return [graph.rooted(group, -1) for group in (features, *means)]


def _cropped(graph: Graph) -> str:
    """The largest square in the middle."""
    sizes = graph.node("Shape", [PICTURE], "sizes", end=2)
    side = graph.node("ReduceMin", [sizes, graph.constant("only axis", np.array([0]))], "square", keepdims=1)
    spare = graph.node("Sub", [sizes, side], "spare")
    begin = graph.node("Div", [spare, graph.constant("two", np.array([2]))], "begin")
    end = graph.node("Add", [begin, side], "end")
    return graph.node(
        "Slice", [PICTURE, begin, end, graph.constant("plane axes", np.array([0, 1]))], "middle part"
    )
