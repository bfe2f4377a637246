"""Work is estimated where sizes are known, and where they are not."""

from __future__ import annotations

from sardonyx.base import dim as dims
from sardonyx.base.assumed import ASSUMED, assumed

N = dims.symbol("N")


def test_what_is_known_is_itself_and_the_rest_is_assumed() -> None:
    assert assumed(7) == 7
    assert assumed(N) == ASSUMED
    assert assumed(dims.product((N, 3))) == 3 * ASSUMED


def test_what_cannot_be_computed_is_assumed_as_a_whole() -> None:
    assert assumed(5 // (N - ASSUMED)) == ASSUMED
