"""The collector rests inside the block, and is after it as it was before."""

from __future__ import annotations

import gc
import subprocess
import sys

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


# In a process that holds little: to look through what the tests of this one are made of takes seconds.
SPARED = """
import gc
from sardonyx.base.garbage import spare_survivors, uncollected

cycle = []
cycle.append(cycle)
with uncollected():
    spare_survivors.__wrapped__()
    assert gc.get_freeze_count() == 0
    assert not any(o is cycle for young in (0, 1) for o in gc.get_objects(young))
    assert any(o is cycle for o in gc.get_objects(2))
del cycle
assert gc.collect() >= 1
"""
ONCE = """
import gc
from sardonyx.base.garbage import spare_survivors

spare_survivors()
young = [object() for _ in range(10)], []
spare_survivors()
assert any(o is young for o in gc.get_objects(0))
"""
KEPT = """
import gc
from sardonyx.base.garbage import spare_survivors

kept = []
assert any(o is kept for o in gc.get_objects())
gc.freeze()
spare_survivors.__wrapped__()
assert not any(o is kept for o in gc.get_objects())
"""


@pytest.mark.parametrize("code", [SPARED, ONCE, KEPT], ids=["spared", "once", "kept"])
def test_survivors_are_old_at_once_and_found_if_they_are_garbage_and_frozen_ones_stay_so(code: str) -> None:
    program = f"import sys; sys.path[:0] = {sys.path!r}\n{code}"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
