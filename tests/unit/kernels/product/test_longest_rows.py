"""Products whose rows are a batch axis of the graph: every kind of end finds its row, residual and tile."""

from __future__ import annotations

import numpy as np
import pytest

from sardonyx.base.target import Target
from tests.runnable import runnable_targets
from tests.tolerance import assert_close
from tests.unit.runtime.programs import f32, model, program

COLUMNS = 33
ENDS = {
    "bias and residual": "e = Add(h, bias) y = Add(e, res)",
    "function of the tile": "e = Erf(h) y = Mul(e, res)",
    "number a row": "y = Mul(h, row)",
    "whole rows": "y = Softmax(h)",
    "turned back": "e = Tanh(h) y = Transpose<perm = [1, 0, 2]>(e)",
}


@pytest.mark.parametrize("target", runnable_targets(), ids=lambda t: t.name)
@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("end", ENDS)
def test_ends_of_rows_along_a_batch_axis(end: str, batch: int, target: Target) -> None:
    inputs = f"float[{batch},37,19] x, float[{COLUMNS}] bias, float[37,{batch},{COLUMNS}] res, "
    inputs += f"float[37,{batch},1] row"
    weights = f32(19, COLUMNS, seed=1) / 4
    data = model(
        f"g ({inputs}) => (float[A, B, {COLUMNS}] y) <float[19, {COLUMNS}] w> "
        f"{{ t = Transpose<perm = [1, 0, 2]>(x) h = MatMul(t, w) {ENDS[end]} }}",
        w=weights,
    )
    feeds = f32(batch, 37, 19), f32(COLUMNS), f32(37, batch, COLUMNS, seed=2), f32(37, batch, 1, seed=3)
    (expected,), (found,) = (
        program(data, target=name).run(feeds, (0,)) for name in ("reference", target.name)
    )
    assert_close(found, np.asarray(expected), 64)
