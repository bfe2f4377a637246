"""CatBoost: model files and live models of numeric features through CatBoost's own ONNX export."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from sardonyx.convert.framework import Array, ConvertError, Exported, Feeds, Request
from sardonyx.convert.frameworks.pickles import unpickled
from sardonyx.convert.frameworks.tabular.boosting import first_line
from sardonyx.convert.frameworks.tabular.tables import Column, Table

SEVERAL = ("MultiRMSE", "MultiQuantile", "RMSEWithUncertainty", "MultiLogloss", "MultiCrossEntropy")
CLASSIFYING = ("Logloss", "CrossEntropy", "MultiClass", "MultiClassOneVsAll")


def load(source: str, request: Request) -> Any:
    """The model of a .cbm file or of a pickle."""
    import catboost

    with Path(source).open("rb") as file:
        if file.read(4) != b"CBM1":
            return unpickled(source)
    try:
        return catboost.CatBoost().load_model(source)
    except catboost.CatBoostError as error:
        said = first_line(error)
        raise ConvertError(f"{source} cannot be read by CatBoost: {said}; is the file whole?") from error


def export(model: Any, request: Request, path: Path) -> Exported:
    """Export a fitted model; one with categories or texts is refused by CatBoost."""
    if model.get_cat_feature_indices() or model.get_text_feature_indices():
        raise ConvertError(
            "CatBoost exports models of numeric features only; encode categories and texts in front of it, "
            "as with scikit-learn's TargetEncoder in a pipeline"
        )
    classes = [str(label) for label in getattr(model, "classes_", ())]
    loss = str(model.get_all_params().get("loss_function", "")).partition(":")[0]
    is_classifier = loss in CLASSIFYING
    if loss.startswith(SEVERAL):
        raise ConvertError(
            f"CatBoost cannot export models of several answers ({loss}); train a model for each of them"
        )
    borders = model.get_borders()
    names = model.feature_names_ or [f"x{at}" for at in range(len(borders))]
    table = Table([Column(str(n), values=borders.get(at, ())) for at, n in enumerate(names)], separate=False)
    feeds, drawn = table.feeds(request)
    feeds = {"features": feeds["x"]}
    try:
        model.save_model(str(path), format="onnx")
    except Exception as error:
        said = first_line(error)
        if "label type" in said:
            said = "its classes are neither whole numbers nor texts; fit it on such"
        raise ConvertError(f"CatBoost cannot export this model: {said}") from error
    if loss == "MultiClassOneVsAll":
        _of_each_alone(path)
    cases = table.asked(feeds, lambda part: _answered(model, part, is_classifier), drawn=drawn)
    outputs = ("label", "probabilities") if is_classifier else ("value",)
    labels = tuple(classes) if is_classifier else ()
    return Exported(
        path,
        cases,
        drawn,
        outputs=outputs,
        labels=labels,
        columns=tuple(table.names),
        notes=table.rounded(request),
    )


def _of_each_alone(path: Path) -> None:
    """Probabilities of each class by itself: CatBoost writes those of all together."""
    model = onnx.load(path)
    for node in model.graph.node:
        for attribute in node.attribute:
            if attribute.name == "post_transform":
                attribute.s = b"LOGISTIC"
    onnx.save(model, path)


def _answered(model: Any, feeds: Feeds, is_classifier: bool) -> list[Array]:
    rows = feeds["features"].astype(np.float64)
    if not is_classifier:
        has_kinds = "prediction_type" in inspect.signature(model.predict).parameters
        kind = {"prediction_type": "RawFormulaVal"} if has_kinds else {}
        return [np.asarray(model.predict(rows, **kind))]
    labels = np.asarray(model.predict(rows, prediction_type="Class")).reshape(-1)
    return [labels, np.asarray(model.predict(rows, prediction_type="Probability"))]
