"""A log holds so many events; one that is too short says so and leaves all other memory alone."""

from __future__ import annotations

import numpy as np
import pytest

from sardonyx.llvm.vec import Function, Module, int_
from sardonyx.object import engine, executor
from sardonyx.targets import detect
from tests.unit.kernels.native import KERNEL
from tests.unit.kernels.traced import FETCH, LINE, Log
from tests.unit.objects import compiled, loaded

EVENTS, CANARY = 4, -1


@pytest.mark.parametrize("events", [EVENTS, EVENTS + 2])
def test_a_log_that_is_too_short_says_so(events: int, monkeypatch: pytest.MonkeyPatch) -> None:
    words = np.full(2 * (EVENTS + 1), CANARY)
    words[0] = 0
    log, target, module = Log(EVENTS), detect(), Module()
    monkeypatch.setattr(log, "_words", words[: EVENTS + 1])
    f = Function(module, "fetches", [("args", "ptr"), ("context", "ptr")])
    for number in range(events):
        log.write(f, f.convert("inttoptr", int_(number * LINE), "ptr"), FETCH)
    f.ret()
    f.finish()
    codes = [compiled(executor.ir(target), target), engine.compile_object(module.text(), target, quick=True)]
    image = loaded(codes, target)
    KERNEL(image.address("fetches"))(None, None)
    assert (words[EVENTS + 1 :] == CANARY).all()
    if events > EVENTS:
        with pytest.raises(AssertionError, match="too short"):
            log.take()
    else:
        lines, kinds = log.take()
        assert lines.tolist() == list(range(EVENTS)) and (kinds == FETCH).all()
