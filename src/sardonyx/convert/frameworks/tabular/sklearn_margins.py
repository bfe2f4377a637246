"""Classifiers that decide by margins, of which skl2onnx does not always make what scikit-learn does.

It decides by probabilities where the modified Huber loss cuts them off, so that classes tie that do not.
The margins of a support vector machine of two classes have the wrong sign.
"""

from __future__ import annotations

import contextlib
from typing import Any

from sardonyx.convert.frameworks.tabular.sklearn_replaced import replaced


def registered() -> contextlib.AbstractContextManager[None]:
    """While this lasts, skl2onnx converts the modified Huber loss right."""
    from sklearn.linear_model import SGDClassifier

    return replaced((SGDClassifier,), _converter)


def _converter(original: Any) -> Any:
    def convert(scope: Any, operator: Any, container: Any) -> None:
        first = len(container.nodes)
        original(scope, operator, container)
        nodes = {node.op_type: node for node in container.nodes[first:]}
        if "Clip" in nodes and len(operator.raw_operator.classes_) > 2:
            nodes["ArgMax"].input[0] = nodes["Clip"].input[0]

    return convert


def is_turned(model: Any) -> bool:
    """Whether skl2onnx gives its margins the wrong sign: a support vector machine of two classes."""
    from sklearn.svm import SVC, NuSVC

    return isinstance(model, (SVC, NuSVC)) and model.probability is not True and len(model.classes_) == 2


def turned(model: Any, graph: Any) -> None:
    """Turn the sign of the margins, the second output, where it is wrong."""
    if not is_turned(model):
        return
    name = graph.output[1].name
    for node in graph.node:
        node.output[:] = [f"{name} turned" if output == name else output for output in node.output]
    graph.node.add(op_type="Neg", name="turned", input=[f"{name} turned"], output=[name])
