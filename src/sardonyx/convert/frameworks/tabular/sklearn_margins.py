"""Classifiers that decide by margins, of which skl2onnx does not always make what scikit-learn does.

It decides by probabilities where the modified Huber loss cuts them off, so that classes tie that do not.
The margins of a support vector machine of two classes have the wrong sign.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any


@contextlib.contextmanager
def registered() -> Iterator[None]:
    """While this lasts, skl2onnx converts the modified Huber loss right."""
    from skl2onnx import _supported_operators as known
    from skl2onnx import update_registered_converter
    from skl2onnx.common._registration import get_converter, get_shape_calculator
    from sklearn.linear_model import SGDClassifier

    names = known.sklearn_operator_name_map
    before = names[SGDClassifier]
    original = get_converter(before)
    update_registered_converter(
        SGDClassifier,
        "SardonyxSGDClassifier",
        get_shape_calculator(before),
        _converter(original),
        overwrite=True,
        options=original.get_allowed_options(),
    )
    try:
        yield
    finally:
        names[SGDClassifier] = before


def _converter(original: Any) -> Any:
    def convert(scope: Any, operator: Any, container: Any) -> None:
        first = len(container.nodes)
        original(scope, operator, container)
        nodes = {node.op_type: node for node in container.nodes[first:]}
        if "Clip" in nodes and len(operator.raw_operator.classes_) > 2:
            nodes["ArgMax"].input[0] = nodes["Clip"].input[0]

    return convert


def turned(model: Any, graph: Any) -> None:
    """Turn the sign of the margins, the second output, of a support vector machine of two classes."""
    from sklearn.svm import SVC, NuSVC

    if not isinstance(model, (SVC, NuSVC)) or model.probability is True or len(model.classes_) != 2:
        return
    name = graph.output[1].name
    for node in graph.node:
        node.output[:] = [f"{name} turned" if output == name else output for output in node.output]
    graph.node.add(op_type="Neg", name="turned", input=[f"{name} turned"], output=[name])
