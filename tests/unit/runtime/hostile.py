"""Models in text whose bad feeds must end in a clear error, after which everything goes on as before."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import onnx
import pytest

from sardonyx import InferenceSession

Array = npt.NDArray[Any]
HEAD = '<ir_version: 10, opset_import: ["" : 24, "ai.onnx.ml" : 4, "com.microsoft" : 1]> g '


class Bad(NamedTuple):
    """What is fed instead, and the error that it must be."""

    feeds: Mapping[str, Any]
    error: type[Exception]
    match: str


class Case(NamedTuple):
    """A model, feeds that it takes, and feeds that it must refuse."""

    name: str
    text: str
    good: Mapping[str, Any]
    bad: tuple[Bad, ...]


def session(text: str) -> InferenceSession:
    """Of a graph in text; the shapes of its outputs are left open."""
    model = onnx.parser.parse_model(HEAD + text)
    for output in model.graph.output:
        output.type.tensor_type.ClearField("shape")
    return InferenceSession(model.SerializeToString())


def ints(*values: int, dtype: Any = np.int64) -> Array:
    """A vector."""
    return np.array(values, dtype)


def floats(*shape: int) -> Array:
    """Numbers 0, 1, 2, ..."""
    return np.arange(int(np.prod(shape)), dtype=np.float32).reshape(shape)


def check(case: Case) -> None:
    """Each bad feed is refused; good ones then give what they gave before, here and in another session."""
    subject, other = session(case.text), session("(float[N] x) => (float[N] y) { y = Exp(x) }")
    before = subject.run(None, dict(case.good))
    for bad in case.bad:
        with pytest.raises(bad.error, match=bad.match):
            subject.run(None, {**case.good, **bad.feeds})
        for old, new in zip(before, subject.run(None, dict(case.good)), strict=True):
            np.testing.assert_array_equal(old, new)
        np.testing.assert_array_equal(other.run(None, {"x": np.zeros(3, np.float32)})[0], np.ones(3))
