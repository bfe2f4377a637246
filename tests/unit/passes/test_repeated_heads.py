"""Products by repeated matrices become products by each once; others stay."""

from __future__ import annotations

import numpy as np
import pytest

from sardonyx.passes.repeated_heads import repeated_heads
from tests.unit.passes.graphs import check, parse, prims

Q, X = (2, 6, 5, 8), (2, 3, 7, 8)
HEADS = {"rows": np.int64([2, 6, 7, 8]), "columns": np.int64([2, 6, 8, 7]), "axis": np.int64([2])}
SPREAD = {"spread": np.int64([2, 3, 2, 7, 8]), "spread_columns": np.int64([2, 3, 2, 8, 7])}
FORMS = {
    "turned": "u = Unsqueeze (x, axis) e = Expand (u, spread) r = Reshape (e, rows) "
    "w = Transpose <perm = [0, 1, 3, 2]> (r)",
    "turned before": "t = Transpose <perm = [0, 1, 3, 2]> (x) u = Unsqueeze (t, axis) "
    "e = Expand (u, spread_columns) w = Reshape (e, columns)",
    "scaled": "u = Unsqueeze (x, axis) e = Expand (u, spread) r = Reshape (e, rows) "
    "t = Transpose <perm = [0, 1, 3, 2]> (r) c = Constant <value_float = 0.5> () w = Mul (t, c)",
    "unknown sizes": "u = Unsqueeze (x, axis) e = Expand (u, spread) r = Reshape (e, rows) "
    "w = Transpose <perm = [0, 1, 3, 2]> (r)",
}


@pytest.mark.parametrize("form", FORMS)
def test_heads_that_share_a_matrix_are_rows_of_one_product(form: str) -> None:
    rows = "n" if form == "unknown sizes" else 5
    text = f"g (float[2, 6, {rows}, 8] q, float[2, 3, 7, 8] x) => (float[2, 6, {rows}, 7] y)"
    graph = parse(f"{text} {{ {FORMS[form]} y = MatMul (q, w) }}", **HEADS, **SPREAD)
    rng = np.random.default_rng(0)
    changed = check(repeated_heads, graph, *(rng.standard_normal(s).astype(np.float32) for s in (Q, X)))
    assert "broadcast" in prims(graph) and "broadcast" not in prims(changed)


@pytest.mark.parametrize(
    "form",
    [
        "u = Unsqueeze (x, other) e = Expand (u, woven) r = Reshape (e, rows) "
        "w = Transpose <perm = [0, 1, 3, 2]> (r)",
        "u = Unsqueeze (x, axis) e = Expand (u, spread) r = Reshape (e, rows) "
        "t = Transpose <perm = [0, 1, 3, 2]> (r) w = Add (t, t)",
    ],
    ids=["all heads one behind the other", "something else is computed"],
)
def test_others_stay(form: str) -> None:
    more = {"other": np.int64([1]), "woven": np.int64([2, 2, 3, 7, 8])}
    text = "g (float[2, 6, 5, 8] q, float[2, 3, 7, 8] x) => (float[2, 6, 5, 7] y)"
    graph = parse(f"{text} {{ {form} y = MatMul (q, w) }}", **HEADS, **SPREAD, **more)
    assert prims(repeated_heads(graph, None)) == prims(graph)  # type: ignore[arg-type]
