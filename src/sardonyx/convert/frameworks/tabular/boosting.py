"""What libraries of boosted trees share: answers of boosters and estimators, borders, texts of errors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from sardonyx.convert.framework import Array


def answers(model: Any, rows: Any, *, is_classifier: bool) -> list[Array]:
    """Labels and probabilities of a classifier, else values; of an estimator or of a bare booster."""
    if is_classifier and hasattr(model, "predict_proba"):
        return [np.asarray(model.predict(rows)), np.asarray(model.predict_proba(rows))]
    values = np.asarray(model.predict(rows))
    if not is_classifier:
        return [values]
    if values.ndim == 2:
        return [values.argmax(1), values]
    return [(values > 0.5).astype(np.int64), np.stack([1 - values, values], 1)]


def classes_of(model: Any) -> tuple[str, ...]:
    """Names of the classes of an estimator."""
    return tuple(str(label) for label in getattr(model, "classes_", ()))


def texts_of(categories: Mapping[str, Sequence[Any]]) -> dict[str, list[str]]:
    """Categories by column, as a file can say them."""
    return {name: [str(value) for value in known] for name, known in categories.items()}


def first_line(error: Exception) -> str:
    """The first line of what an error says."""
    text = str(error).strip()
    return text.splitlines()[0] if text else type(error).__name__


def floor32(border: float) -> float:
    """The largest float32 that is not beyond the border: a float32 is below the one if below the other."""
    near = np.float32(border)
    return float(near if float(near) <= border else np.nextafter(near, np.float32(-np.inf)))
