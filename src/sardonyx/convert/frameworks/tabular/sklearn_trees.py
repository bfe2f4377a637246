"""Trees and forests of scikit-learn behind float64: converters for skl2onnx that compare as they do.

They take rows as float32 whatever comes, and so must the ONNX model, or values on borders go the other way.
"""

from __future__ import annotations

import contextlib
from typing import Any

from onnx import TensorProto

from sardonyx.convert.frameworks.tabular.sklearn_replaced import replaced


def kinds() -> tuple[type, ...]:
    """The estimators that read float32."""
    from sklearn import ensemble, tree

    return (
        *(tree.DecisionTreeClassifier, tree.DecisionTreeRegressor),
        *(tree.ExtraTreeClassifier, tree.ExtraTreeRegressor),
        *(ensemble.RandomForestClassifier, ensemble.RandomForestRegressor),
        *(ensemble.ExtraTreesClassifier, ensemble.ExtraTreesRegressor),
        *(ensemble.GradientBoostingClassifier, ensemble.GradientBoostingRegressor),
    )


def registered() -> contextlib.AbstractContextManager[None]:
    """While this lasts, skl2onnx converts them right."""
    return replaced(kinds(), _narrowed)


def _narrowed(original: Any) -> Any:
    def convert(scope: Any, operator: Any, container: Any) -> None:
        if not any(_is_wide(value) for value in operator.inputs):
            original(scope, operator, container)
            return
        inner = operator.new_raw_operator(operator.raw_operator, operator.type)
        for name in ("inputs", "outputs"):
            known = getattr(operator, name)
            listed = type(known)(inner, known.kind)
            list.extend(
                listed, (_narrow(scope, value) for value in known)
            )  # append refuses outputs of another
            inner.__dict__[name] = listed
        _cast(scope, container, operator.inputs, inner.inputs, TensorProto.FLOAT)
        original(scope, inner, container)
        _cast(scope, container, inner.outputs, operator.outputs, TensorProto.DOUBLE)

    return convert


def _is_wide(value: Any) -> bool:
    from skl2onnx.common.data_types import DoubleTensorType

    return isinstance(value.type, DoubleTensorType)


def _narrow(scope: Any, value: Any) -> Any:
    """A variable like this one, of float32 if it is of float64."""
    from skl2onnx.common.data_types import FloatTensorType

    return (
        scope.declare_local_variable("floats", FloatTensorType(value.type.shape))
        if _is_wide(value)
        else value
    )


def _cast(scope: Any, container: Any, sources: Any, targets: Any, kind: int) -> None:
    for source, target in zip(sources, targets, strict=True):
        if source is not target:
            container.add_node(
                "Cast",
                [source.full_name],
                [target.full_name],
                op_version=13,
                name=scope.get_unique_operator_name("Cast"),
                to=kind,
            )
