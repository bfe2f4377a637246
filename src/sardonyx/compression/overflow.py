"""Nodes whose numbers float16 cannot hold, seen on samples.

An engine that keeps what lies between two nodes in more bits does not show that they overflow; others do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import onnx

from sardonyx.compression.precision import FLOAT, LARGEST, TYPES
from sardonyx.compression.runs import Feeds, opened_with
from sardonyx.compression.scope import Nodes, Scope, identity

ENDLESS = 1e30
"""Numbers from here on are those of masks, which may become infinite."""


def overflowing(model: onnx.ModelProto, types: Mapping[str, int], samples: Sequence[Feeds]) -> list[str]:
    """Identities of nodes of the main graph that read or make numbers beyond float16.

    Args:
        model: of opset 7 or newer.
        types: element types of its values.
        samples: feeds.
    """
    counted = onnx.ModelProto()
    counted.CopyFrom(model)
    scope = Scope(counted.graph)
    made_here = (name for node in model.graph.node for name in node.output)
    values = [*(row.name for row in model.graph.input), *made_here]
    largest, endless = (np.array(bound, np.float32) for bound in (LARGEST[TYPES["fp16"]], ENDLESS))
    bounds = scope.add(largest, "largest"), scope.add(endless, "endless")
    counts, made = {}, list[onnx.NodeProto]()
    for name in values:
        if types.get(name) == FLOAT:
            counts[_count(scope, made, name, bounds)] = name
    counted.graph.node.extend(made)
    session = opened_with(counted, list(counts))
    beyond: set[str] = set()
    for feeds in samples:
        results = zip(counts.values(), session.run(list(counts), dict(feeds)), strict=True)
        beyond.update(name for name, count in results if count)
    return [identity(n) for n in model.graph.node if beyond.intersection((*n.input, *n.output))]


def _count(scope: Scope, made: Nodes, name: str, bounds: tuple[str, str]) -> str:
    """How many numbers of a value are beyond the first bound and below the second."""
    size = scope.put(made, "Abs", [name], f"{name}_size")
    parts = [
        scope.put(made, kind, [size, bound], f"{name}_{kind}")
        for kind, bound in zip(("Greater", "Less"), bounds, strict=True)
    ]
    both = scope.put(made, "And", parts, f"{name}_beyond")
    ones = scope.put(made, "Cast", [both], f"{name}_ones", to=FLOAT)
    return scope.put(made, "ReduceSum", [ones], f"{name}_count", keepdims=0)
