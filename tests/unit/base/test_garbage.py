"""The collector rests inside the block, and is after it as it was before."""

from __future__ import annotations

import gc

import pytest

from sardonyx.base.garbage import uncollected


def test_the_collector_rests_inside() -> None:
    assert gc.isenabled()
    with uncollected(), uncollected():
        assert not gc.isenabled()
    assert gc.isenabled()


def test_it_is_left_off_where_it_was_off_and_on_after_an_error() -> None:
    with pytest.raises(KeyError), uncollected():
        raise KeyError
    assert gc.isenabled()
    gc.disable()
    try:
        with uncollected():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()
