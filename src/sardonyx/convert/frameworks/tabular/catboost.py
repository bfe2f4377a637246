"""CatBoost: model files and live models of numeric features; the trees are written here."""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import Any

import numpy as np

from sardonyx.authoring import GraphWriter
from sardonyx.convert.framework import Array, ConvertError, Exported, Request
from sardonyx.convert.frameworks.pickles import unpickled
from sardonyx.convert.frameworks.tabular import catboost_trees as trees
from sardonyx.convert.frameworks.tabular.boosting import first_line
from sardonyx.convert.frameworks.tabular.ensembles import narrowed, saved
from sardonyx.convert.frameworks.tabular.tables import Column, Table


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
    facts = described(model, path.with_suffix(".json"))
    borders = model.get_borders()
    names = [str(name) for name in model.feature_names_ or [f"x{at}" for at in range(len(borders))]]
    table = Table([Column(name, values=borders.get(at, ())) for at, name in enumerate(names)], separate=False)
    feeds, drawn = table.feeds(request)
    classes = np.asarray(getattr(model, "classes_", ()))
    graph = GraphWriter()
    outputs = trees.written(graph, facts, classes, len(names))
    if request.double:
        narrowed(graph, trees.ROWS)  # CatBoost itself compares in float32
    path.write_bytes(saved(graph, "catboost", len(names), outputs, double=request.double, rows=trees.ROWS))
    cases = table.asked(
        {trees.ROWS: feeds["x"]}, lambda part: _answered(model, part[trees.ROWS], facts), drawn=drawn
    )
    return Exported(
        path,
        cases,
        drawn,
        labels=tuple(str(label) for label in classes) if facts.is_classifier else (),
        columns=tuple(names),
        notes=table.rounded(request),
    )


def described(model: Any, path: Path) -> trees.Model:
    """What CatBoost says about a fitted model, by way of a file."""
    try:
        model.save_model(str(path), format="json")
    except Exception as error:
        raise ConvertError(f"CatBoost cannot describe this model: {first_line(error)}") from error
    loss = str(model.get_all_params().get("loss_function", "")).partition(":")[0]
    return trees.Model(json.loads(path.read_text(encoding="utf-8")), loss)


def _answered(model: Any, rows: Array, facts: trees.Model) -> list[Array]:
    """Labels and probabilities of a classifier, else what the estimator of its loss predicts."""
    wide = rows.astype(np.float64)
    if facts.is_classifier:
        kinds = ("Class", "Probability")
        labels, likely = (np.asarray(model.predict(wide, prediction_type=kind)) for kind in kinds)
        return [labels if facts.is_of_several_labels else labels.reshape(-1), likely]
    if "prediction_type" not in inspect.signature(model.predict).parameters:
        return [np.asarray(model.predict(wide))]
    return [np.asarray(model.predict(wide, prediction_type=facts.prediction))]
