"""What contraction kernels say they may use of scratch holds all its parts."""

from __future__ import annotations

from sardonyx import targets
from sardonyx.base.dataclass import replace
from sardonyx.kernels import scratch


def test_parts_fit_into_the_whole() -> None:
    target = targets.detect()
    assert scratch.convolution_bytes() == scratch.TABLE_BYTES + scratch.TURNED_BYTES + scratch.CONV_SUM_BYTES
    assert scratch.TABLE_BYTES == 8 * scratch.ENTRY_WORDS * scratch.MOST_ENTRIES
    larger = replace(target, l2_bytes=2 * target.l2_bytes)
    assert scratch.product_bytes(larger) - scratch.product_bytes(target) == 2 * target.l2_bytes
    assert scratch.product_bytes(target) > scratch.SUM_BYTES
