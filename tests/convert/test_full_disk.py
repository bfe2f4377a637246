"""On a full disk a conversion ends in a sentence that names the file, and leaves what was there."""

from __future__ import annotations

from pathlib import Path

import pytest
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

from sardonyx.convert import ConvertError, convert
from tests.disk import full_disk


def test_a_model_that_does_not_fit_is_not_half_written(tmp_path: Path) -> None:
    rows, goal = load_iris(return_X_y=True)
    converted = convert(LogisticRegression(max_iter=500).fit(rows, goal))
    target = tmp_path / "iris.onnx"
    target.write_bytes(b"old")
    with full_disk(100), pytest.raises(ConvertError, match=r"iris\.onnx cannot be written: File too large"):
        converted.save(target)
    assert [path.name for path in tmp_path.iterdir()] == ["iris.onnx"] and target.read_bytes() == b"old"
    converted.save(target)
    assert target.stat().st_size > 100
