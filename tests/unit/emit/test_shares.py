"""Work is shared out whole, once, whoever comes when."""

from __future__ import annotations

import ctypes
import threading
from collections import Counter

import numpy as np
import pytest

from sardonyx import targets
from sardonyx.base.abi import LONG_WORK, UNITS, Barrier, Context
from sardonyx.emit.shares import Shares
from sardonyx.llvm.vec import Function, Module, int_
from sardonyx.object import executor
from sardonyx.runtime.image import LoadedImage
from tests.unit.contexts import contexts
from tests.unit.objects import compiled, compiled_alone, loaded

MOST, CALLS = 3 * UNITS, 50
"""At most so many units of a call, and calls of a run."""


@pytest.fixture(scope="module")
def image() -> LoadedImage:
    """`worker(ctx, threads, work, most, owners)` notes which thread works on each unit of CALLS calls."""
    target, module = targets.detect(), Module()
    f = Function(
        module,
        "worker",
        [("ctx", "ptr"), *((n, "i64") for n in ("threads", "work", "most")), ("owners", "ptr")],
    )
    ctx, threads, work, most, owners = f.params
    with f.loop(int_(0), int_(CALLS)) as call:
        shares = Shares.of(f, ctx, threads, work, most)
        with shares.mine(f) as (low, high), f.loop(low, high) as unit:
            at = f.gep(owners, f.add(f.mul(call.index, int_(MOST)), unit.index), "i64")
            bit = f.binary("shl", int_(1), f.mul(f.word(ctx, Context.TID), int_(8)))
            f.line(f"atomicrmw add {at}, {bit} monotonic")
    f.ret()
    f.finish()
    return loaded([compiled(executor.ir(target), target), compiled_alone(module.text(), target)], target)


def owners_of(image: LoadedImage, threads: int, work: int, most: int, *, side_by_side: bool) -> np.ndarray:
    """[call, unit]: a byte for each thread, how often it worked on the unit."""
    worker = ctypes.CFUNCTYPE(None, ctypes.c_void_p, *[ctypes.c_int64] * 3, ctypes.c_void_p)(
        image.address("worker")
    )
    owners = np.zeros((CALLS, MOST), np.int64)
    team = list(contexts(threads))
    barrier = np.zeros(Barrier.WORDS, np.int64)
    for words in team:
        words[Context.BARRIER] = barrier.ctypes.data
    runs = [
        threading.Thread(target=worker, args=(w.ctypes.data, threads, work, most, owners.ctypes.data))
        for w in team
    ]
    for run in runs:
        run.start()
        if not side_by_side:
            run.join()
    for run in runs:
        run.join()
    assert len({int(w[Context.CLAIMS]) for w in team}) == 1, "all threads count the same calls"
    return owners


@pytest.mark.parametrize("side_by_side", [False, True])
@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("most", [1, 7, MOST])
@pytest.mark.parametrize("work", [0, 100 * LONG_WORK])
def test_every_unit_is_worked_on_once(
    image: LoadedImage, threads: int, most: int, work: int, side_by_side: bool
) -> None:
    owners = owners_of(image, threads, work, most, side_by_side=side_by_side)
    claimed = threads > 1 and work > 0 and most >= threads * UNITS
    units = threads * UNITS if claimed else threads
    times = Counter(sum(int(o) >> 8 * t & 0xFF for t in range(threads)) for o in owners[:, :units].flat)
    assert times == {1: CALLS * units}
    assert not owners[:, units:].any()
    if not claimed:
        assert [int(o) for o in owners[0, :units]] == [1 << 8 * t for t in range(threads)], "each has its own"


def test_who_comes_first_claims_all_of_a_long_call(image: LoadedImage) -> None:
    owners = owners_of(image, 2, 100 * LONG_WORK, MOST, side_by_side=False)
    assert (owners[:, : 2 * UNITS] == 1).all()
