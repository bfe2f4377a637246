"""What a row of the framework tests states: an estimator, its data, and how its model is made and judged."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

CLASSES = ("predict", "predict_proba")
MARGINS = ("predict", "decision_function")
VALUES = ("predict",)
FEATURES = ("transform",)


@dataclass(frozen=True)
class Row:
    """One kind of estimator and one way to convert it.

    `tells` are the methods of the estimator that the first outputs of the model stand for, in order.
    `options` are those of the converter, `fit` more arguments of the estimator's `fit`, `numbers` the type of
    the inputs that are not text. `limit` says why the converted model is not the estimator; then it is not in
    onnxruntime either, and both engines agree. `host` names the steps that run in numpy. A quick row is part
    of `make test`.
    """

    estimator: Any
    data: str
    tells: tuple[str | Callable[[Any, Any], Any], ...]
    options: Mapping[str, Any] = field(default_factory=dict)
    fit: Mapping[str, Any] = field(default_factory=dict)
    numbers: type[np.generic] = np.float32
    limit: str = ""
    host: tuple[str, ...] = ()
    quick: bool = False
    label: str = ""

    @property
    def name(self) -> str:
        """The estimator with what differs from its defaults, and how it is converted."""
        told = [self.label or " ".join(repr(self.estimator).split()), f"on {self.data}"]
        told += [f"{key}={value}" for key, value in self.options.items()]
        return ", ".join(told if self.numbers is np.float32 else [*told, self.numbers.__name__])
