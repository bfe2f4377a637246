"""A run goes back and forth between native calls and Python; what connects them is known before."""

from __future__ import annotations

import numpy as np
import pytest

from sardonyx.errors import RunError
from sardonyx.runtime.segments import Links
from tests.unit.runtime.programs import GATHER, NONZERO, WRITTEN, check, f32, model, program


def test_what_later_segments_read_is_shared() -> None:
    made = program(model(NONZERO))
    links = Links(made.data, made.binders)
    assert len(links.shared) == len(made.data.segments) > 1
    assert any(links.shared), "memory of the first segment is read later"
    alone = program(model("g (float[N] x) => (float[N] y) { e = Exp(x) y = Sqrt(e) }"))
    assert not any(Links(alone.data, alone.binders).shared)


def test_results_of_the_host_have_storages() -> None:
    made = program(model(WRITTEN))
    links = Links(made.data, made.binders)
    assert all(made.data.storages[n].kind == "host" for numbers in links.host.values() for n in numbers)
    assert links.host


@pytest.mark.parametrize("source", [NONZERO, WRITTEN])
def test_sizes_found_on_the_way_serve_the_rest_of_the_run(source: str) -> None:
    data = model(source)
    made = program(data)
    for n in (3, 5, 3):
        feeds = [f32(n, seed=n), f32(2)] if source is NONZERO else [f32(n, 8)]
        check(made, data, *feeds)


def test_a_failed_run_leaves_the_program_whole() -> None:
    data = model(GATHER)
    made = program(data)
    with pytest.raises(RunError, match="out of range"):
        made.run([f32(4, 3), np.array([9])], [0])
    check(made, data, f32(4, 3), np.array([1, 2]))
