"""An empty batch has the sizes of any other: what a Reshape leaves open does not depend on the samples."""

from __future__ import annotations

import numpy as np
import pytest

import sardonyx
from tests.unit.frontend.models import parsed

WEIGHTS = "f = Constant<value_float = 0.5>() g = Constant<value_ints = [{}]>() w = Expand(f, g)"
FLAT = f"{WEIGHTS.format('48, 5')} v = Constant<value_ints = [0, -1]>() a = Reshape(x, v) y = MatMul(a, w)"
SHUFFLED = f"""
    {WEIGHTS.format("8, 12, 1, 1")}
    u = Constant<value_ints = [0, 3, 4, 2, 2]>()
    v = Constant<value_ints = [0, -1, 2, 2]>()
    a = Reshape(x, u)
    b = Transpose<perm = [0, 2, 1, 3, 4]>(a)
    c = Reshape(b, v)
    y = Conv(c, w)
"""
TOLD = (
    "n = Shape<end = 1>(x) m = Constant<value_ints = [-1, 2]>() v = Concat<axis = 0>(n, m) y = Reshape(x, v)"
)
FED = "y = Reshape(x, s)"
CASES = {
    "flat": (FLAT, [5]),
    "shuffled": (SHUFFLED, [8, 2, 2]),
    "told": (TOLD, [24, 2]),
    "fed": (FED, [4, 12]),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("inside", [False, True], ids=["plain", "in a branch"])
def test_what_is_left_of_an_empty_batch(case: str, inside: bool) -> None:
    body, rest = CASES[case]
    if inside:
        branch = f"g () => (float[?] y) {{ {body} }}"
        body = f"y = If<then_branch = {branch}, else_branch = {branch}>(chosen)"
    model = parsed(f"g (float[N,12,2,2] x, int64[3] s, bool chosen) => (float[?] y) {{ {body} }}")
    session = sardonyx.InferenceSession(model.SerializeToString())
    for samples in (2, 0, 1):
        x = np.ones((samples, 12, 2, 2), np.float32)
        (y,) = session.run(None, {"x": x, "s": np.array([0, 4, -1]), "chosen": np.array(True)})
        assert list(y.shape) == [samples, *rest]
