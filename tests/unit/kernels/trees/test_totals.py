"""Totals of rows take as many bytes as there are targets, of which there is room for a vector at least."""

from __future__ import annotations

from sardonyx.kernels.trees.totals import MOST_OUTPUTS, TOTAL_BYTES, totals_bytes


def test_bytes() -> None:
    assert totals_bytes(3, MOST_OUTPUTS + 1) == 3 * (MOST_OUTPUTS + 1) * TOTAL_BYTES
    assert totals_bytes(3, 1) == totals_bytes(3, MOST_OUTPUTS)
