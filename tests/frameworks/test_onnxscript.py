"""Models written in onnxscript: functions that call functions, branches and loops in them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import sardonyx


def expected(x: np.ndarray[Any, Any], n: int) -> np.ndarray[Any, Any]:
    s = x
    for _ in range(n):
        norm = np.linalg.norm(s)
        s = (s if norm < 0.75 else s / norm * 0.5) + x * 2
    while np.abs(s).max() > 1:
        s = s * 0.5
    return s


@pytest.mark.parametrize("rows", [1, 3])
@pytest.mark.parametrize("n", [0, 1, 4])
def test_functions_branches_and_loops(rows: int, n: int) -> None:
    from tests.frameworks.scripted import model

    session = sardonyx.InferenceSession(model.to_model_proto().SerializeToString())
    for scale in (1e-3, 1.0):
        x = (np.random.default_rng(rows).normal(size=(rows, 4)) * scale).astype(np.float32)
        (y,) = session.run(None, {"x": x, "n": np.array(n)})
        np.testing.assert_allclose(y, expected(x.astype(np.float64), n), rtol=1e-5, atol=1e-9)
    assert not session.report.fallbacks
