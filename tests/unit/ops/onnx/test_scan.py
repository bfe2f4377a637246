"""Scan over an axis, forwards and backwards, of known and of free length."""

from __future__ import annotations

import numpy as np
import pytest

from sardonyx.base import dim as dims
from sardonyx.base import dtype as dt
from sardonyx.errors import NeedsContent, UnsupportedOp
from sardonyx.frontend import load
from sardonyx.ir.value import const, placeholder
from sardonyx.ops.onnx import scan
from tests.unit.frontend.models import outputs, parsed
from tests.unit.ops.formulas import computed
from tests.unit.ops.microsoft.search.bodies import nested


@pytest.mark.parametrize("length", ["4", "T"])
@pytest.mark.parametrize("backward", [0, 1])
def test_scan_carries_state_over_an_axis(length: str, backward: int) -> None:
    text = f"""g (float[2] s, float[{length},2] x) => (float[?] last, float[?] y) {{
        last, y = Scan<num_scan_inputs = 1, scan_input_directions = [{backward}],
            scan_output_directions = [{backward}],
            body = b (float[2] a, float[2] r) => (float[2] t, float[2] o) {{ t = Add(a, r)  o = Identity(t) }}
        >(s, x)
    }}"""
    x = np.arange(8, dtype=np.float32).reshape(4, 2)
    last, y = outputs(parsed(text), np.zeros(2, np.float32), x)
    expected = x[::-1].cumsum(0)[::-1] if backward else x.cumsum(0)
    np.testing.assert_array_equal(y, expected)
    np.testing.assert_array_equal(last, x.sum(0))
    assert any(v.prim == "scan" for v in load(parsed(text)).graph.order()) == (length == "T")


def test_scans_of_old_opsets_do_not_know_lengths() -> None:
    body = nested("g (float s, float x) => (float t, float y) { t = Add(s, x) y = Identity(t) }")
    x = const(np.arange(6, dtype=np.float32).reshape(2, 3))
    state = const(np.zeros(2, np.float32))
    last, rows = computed(*scan.scan_8(None, state, x, body=body, num_scan_inputs=1))
    assert (last.tolist(), rows.tolist()) == ([3, 12], [[0, 1, 3], [3, 7, 12]])
    with pytest.raises(UnsupportedOp, match="Scan of opset 8 with sequence lengths"):
        scan.scan_8(const(np.array([3, 2])), state, x, body=body, num_scan_inputs=1)
    with pytest.raises(NeedsContent, match="the size of the batch"):
        free = [
            placeholder("s", dt.F32, (dims.symbol("N"),)),
            placeholder("x", dt.F32, (dims.symbol("N"), 3)),
        ]
        scan.scan_8(None, *free, body=body, num_scan_inputs=1)
