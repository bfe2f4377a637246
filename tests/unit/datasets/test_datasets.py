"""The examples that come with the package are there and run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sardonyx import InferenceSession
from sardonyx.datasets import get_example


@pytest.mark.parametrize("name", ["mul_1.onnx", "sigmoid.onnx", "logreg_iris.onnx"])
def test_they_run(name: str) -> None:
    path = Path(get_example(name))
    assert path.is_absolute() and path.name == name
    session = InferenceSession(str(path))
    feeds = {
        value.name: np.ones([size if isinstance(size, int) else 3 for size in value.shape], np.float32)
        for value in session.get_inputs()
    }
    assert all(len(answer) == 3 for answer in session.run(None, feeds))


@pytest.mark.parametrize("name", ["other.onnx", "", "../datasets/sigmoid.onnx"])
def test_what_there_is_not(name: str) -> None:
    with pytest.raises(
        FileNotFoundError, match=r"the examples are logreg_iris\.onnx, mul_1\.onnx, sigmoid\.onnx"
    ):
        get_example(name)
