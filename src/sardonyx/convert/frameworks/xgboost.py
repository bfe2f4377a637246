"""XGBoost: boosters, JSON, UBJSON and old model files, and estimators, through onnxmltools."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sardonyx.convert.framework import Array, Case, ConvertError, Exported, Feeds, Request, batches
from sardonyx.convert.frameworks.boosting import answers, classes_of, first_line
from sardonyx.convert.frameworks.pickles import unpickled
from sardonyx.convert.frameworks.tables import Column, Table

OPSET = 15  # the newest that onnxmltools 1.16 writes


def load(source: str, request: Request) -> Any:
    """The estimator that a model file stands for, or the object of a pickle."""
    import xgboost

    with Path(source).open("rb") as file:
        start = file.read(64)
    if start[:1] != b"{" and start[:4] != b"binf":
        return unpickled(source)
    booster = xgboost.Booster()
    try:
        booster.load_model(source)
    except (xgboost.core.XGBoostError, UnicodeDecodeError) as error:
        said = first_line(error)
        raise ConvertError(f"{source} cannot be read by XGBoost: {said}; is the file whole?") from error
    estimator = (xgboost.XGBClassifier if _is_classifier(booster) else xgboost.XGBRegressor)()
    estimator.load_model(source)
    return estimator


def export(model: Any, request: Request, path: Path) -> Exported:
    """Convert a booster or a fitted estimator."""
    import onnxmltools
    import xgboost
    from onnxmltools.convert.common.data_types import FloatTensorType

    booster = model if isinstance(model, xgboost.Booster) else model.get_booster()
    table = Table(_columns(booster), separate=False)
    feeds, drawn = table.feeds(request)
    types = [("x", FloatTensorType([None, len(table.columns)]))]
    is_classifier = _is_classifier(booster)
    with warnings.catch_warnings(), _plain_names(booster):
        warnings.simplefilter("ignore")
        try:
            proto = onnxmltools.convert_xgboost(model, initial_types=types, target_opset=OPSET)
        except Exception as error:
            said = first_line(error)
            raise ConvertError(f"onnxmltools cannot convert this XGBoost model: {said}") from error
    path.write_bytes(proto.SerializeToString())
    cases = [Case(part, _told(model, part, is_classifier)) for part in batches(feeds)]
    names = ("label", "probabilities") if is_classifier else ("value",)
    labels = classes_of(model)
    return Exported(path, cases, drawn, outputs=names, labels=labels, columns=tuple(table.names))


class _plain_names:  # noqa: N801
    """onnxmltools reads columns from names such as f12: others are put aside while it works."""

    def __init__(self, booster: Any) -> None:
        self.booster, self.names = booster, booster.feature_names

    def __enter__(self) -> None:
        self.booster.feature_names = None

    def __exit__(self, *_: object) -> None:
        self.booster.feature_names = self.names


def _is_classifier(booster: Any) -> bool:
    objective: str = json.loads(booster.save_config())["learner"]["objective"]["name"]
    return objective.startswith(("binary:logistic", "binary:hinge", "multi:"))


def _told(model: Any, feeds: Feeds, is_classifier: bool) -> list[Array]:
    import xgboost

    rows: Any = feeds["x"]
    if isinstance(model, xgboost.Booster):
        names, types = model.feature_names, model.feature_types
        rows = xgboost.DMatrix(rows, feature_names=names, feature_types=types, enable_categorical=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return answers(model, rows, is_classifier=is_classifier)


def _columns(booster: Any) -> list[Column]:
    names = booster.feature_names or [f"f{at}" for at in range(booster.num_features())]
    places = {name: at for at, name in enumerate(names)}
    borders: list[set[float]] = [set() for _ in names]
    for text in booster.get_dump(dump_format="json"):
        for node in _splits(json.loads(text)):
            condition = node["split_condition"]
            known = borders[places.get(node["split"], 0)]
            known.update(
                float(value) for value in (condition if isinstance(condition, list) else [condition])
            )
    return [Column(name, values=sorted(seen)) for name, seen in zip(names, borders, strict=True)]


def _splits(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    waiting = [node]
    while waiting:
        node = waiting.pop()
        if "split" in node:
            yield node
            waiting += node["children"]
