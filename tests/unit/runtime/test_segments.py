"""A run goes back and forth between native calls and Python; what connects them is known before."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import numpy as np
import pytest

from sardonyx.errors import RunError
from sardonyx.ir.algorithms import sequence
from sardonyx.runtime.segments import Links, Runner
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


ELEMENT = """
g (int64[N] x) => (int64[N] y, int64[?] w) <int64 one = {1}, bool going = {1}> {
    y = Abs(x)  n = Gather(y, one)
    w = Loop(n, going, x) <body = b (int64 i, bool k, int64[K] s) => (bool m, int64[L] t) {
        m = Identity(k)  t = Concat<axis = 0>(s, s) }>
}"""


def test_a_step_reads_one_element_of_an_output() -> None:
    data = model(ELEMENT)
    made = program(data)
    for numbers in ([3, 2, 1], [0, 1], [5, 0, 7, 9]):
        check(made, data, np.array(numbers))


def test_a_failed_run_leaves_the_program_whole() -> None:
    data = model(GATHER)
    made = program(data)
    with pytest.raises(RunError, match="out of range"):
        made.run([f32(4, 3), np.array([9])], [0])
    check(made, data, f32(4, 3), np.array([1, 2]))


GROWING = """
g (float[N] x, int64 n) => (seq(float[N]) y) {
    going = Constant<value = bool {1}>()  first = SequenceEmpty()
    y = Loop(n, going, first) <body = b (int64 i, bool k, seq(float[N]) s) => (bool m, seq(float[N]) t) {
        m = Identity(k)  f = Cast<to = 1>(i)  e = Add(x, f)  t = SequenceInsert(s, e) }>
}"""


def test_an_item_of_a_sequence_that_grows_is_copied_once(monkeypatch: pytest.MonkeyPatch) -> None:
    made, own, copied = program(model(GROWING)), sequence._own, []

    def noted(item: Any) -> Any:
        copied.append(item)
        return own(item)

    monkeypatch.setattr(sequence, "_own", noted)
    monkeypatch.setattr(np, "may_share_memory", lambda *_: pytest.fail("looked at again"))
    for count in (50, 100):
        copied.clear()
        (found,) = made.run([f32(3), np.array(count)], [0])
        assert [item.tolist() for item in found] == [(f32(3) + n).tolist() for n in range(count)]
        assert len(copied) == count


KEPT = """
g (float[N, 3] x, int64 n) => (seq(float[N, 3]) a, seq(float[?, 3]) b, float[N, 3] e) {
    e = Exp(x)  u = Sqrt(e)  nothing = SequenceConstruct(x)  one = SequenceInsert(nothing, e, n)
    a = SequenceInsert(one, u, n)  b = SplitToSequence<axis = 0>(x)
}"""


def test_items_of_sequences_lie_in_no_memory_that_runs_or_callers_use() -> None:
    made, x = program(model(KEPT)), np.abs(f32(4, 3))
    a, b, e = made.run([x, np.array(0)], [0, 1, 2])
    wanted = [np.sqrt(np.exp(x)), np.exp(x), x.copy(), *(row[None] for row in x.copy())]
    x += 1
    e += 1
    made.run([x, np.array(0)], [0, 1, 2])
    for found, expected in zip([*a, *b], wanted, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-5)


AT_THE_END = """
g (float[N] x) => (string[N] a, float[N] b, string[N] c, string[N] d) {
    r = Relu(x)  t = Cast<to = 8>(r)  q = Cast<to = 1>(t)  b = Neg(q)
    e = Exp(b)  a = Cast<to = 8>(e)  u = Cast<to = 8>(x)  c = StringConcat(a, u)  d = StringConcat(c, t)
}"""
NEEDED: tuple[set[str], ...] = ({"a"}, set(), {"a", "u", "c"}, {"a", "u", "c", "d"})
"""Of the steps that no kernel needs, those that each output needs, by what they give."""


def test_steps_of_the_host_run_if_what_they_give_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    made, ran, host = program(model(AT_THE_END)), [], Runner.host

    def noted(runner: Runner, step: Any, *rest: Any) -> Any:
        ran.append(step.name)
        return host(runner, step, *rest)

    monkeypatch.setattr(Runner, "host", noted)
    every = made.run([f32(3)], (0, 1, 2, 3))
    assert len(ran) == 6
    for wanted in (w for count in range(1, 4) for w in permutations(range(4), count)):
        ran.clear()
        found = made.run([f32(3)], wanted)
        assert [a.tolist() for a in found] == [every[n].tolist() for n in wanted]
        assert len(ran) == 2 + len(set().union(*(NEEDED[n] for n in wanted)))
