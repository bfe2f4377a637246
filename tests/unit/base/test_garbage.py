"""The collector rests inside the block, and is after it as it was before."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from sardonyx.base.garbage import spare_survivors, uncollected


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


@pytest.fixture
def nothing_frozen() -> Iterator[None]:
    """The tests of this process are kept from the collector."""
    gc.unfreeze()
    yield
    gc.freeze()


@pytest.mark.usefixtures("nothing_frozen")
def test_survivors_are_old_at_once_and_found_if_they_are_garbage() -> None:
    cycle: list[object] = []
    cycle.append(cycle)
    with uncollected():
        spare_survivors.__wrapped__()
        assert gc.get_freeze_count() == 0
        assert not any(o is cycle for young in (0, 1) for o in gc.get_objects(young))
        assert any(o is cycle for o in gc.get_objects(2))
    del cycle
    assert gc.collect() >= 1


def test_what_somebody_keeps_from_the_collector_stays_kept() -> None:
    kept: list[object] = []
    assert any(o is kept for o in gc.get_objects())
    gc.freeze()
    spare_survivors.__wrapped__()
    assert not any(o is kept for o in gc.get_objects())


@pytest.mark.usefixtures("nothing_frozen")
def test_it_happens_once_in_a_process() -> None:
    spare_survivors()
    young = [object() for _ in range(10)], []
    spare_survivors()
    assert any(o is young for o in gc.get_objects(0))
