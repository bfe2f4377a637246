"""What a shape decides is computed once for it and found again; memory is lent and given back."""

from __future__ import annotations

import numpy as np
import pytest

from sardonyx.errors import SardonyxError
from sardonyx.runtime import bound
from sardonyx.runtime.bound import Binder
from tests.unit.runtime.programs import check, f32, linear, model, program


def test_a_shape_is_bound_once() -> None:
    data = linear()
    made = program(data)
    (binder,) = made.binders
    assert isinstance(binder, Binder)
    for n in (3, 5, 3, 3):
        check(made, data, f32(n, 8))
    assert set(binder.table) == {((3, 8),), ((5, 8),)}


def test_only_so_many_shapes_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bound, "_MOST_BOUND", 4)
    data = linear()
    made = program(data)
    for n in range(1, 12):
        check(made, data, f32(n, 8))
    assert len(made.binders[0].table) <= 5
    check(made, data, f32(1, 8))


def test_sizes_that_contradict_are_refused_each_time() -> None:
    made = program(model("g (float[N] x, float[M] z) => (float[N] y) { y = Add(x, z) }"))
    for _ in range(2):
        with pytest.raises(SardonyxError):
            made.run([f32(3), f32(2)], [0])
    assert np.array_equal(made.run([f32(3), f32(3)], [0])[0], f32(3) * 2)


def test_the_memory_between_kernels_is_known_once_sizes_are() -> None:
    body = "{ h = MatMul(x, w) s = Softmax(h) y = ReduceSum(s) }"
    declared = "g (float[N,8] x, float[8,64] w) => (float[1,1] y) "
    (opened,) = (made := program(model(declared + body))).binders
    assert opened.arena_bytes() == 0, "no shape was bound"
    made.run([f32(5, 8), f32(8, 64)], [0])
    few = opened.arena_bytes()
    made.run([f32(500, 8), f32(8, 64)], [0])
    assert 0 < few < opened.arena_bytes(), "the most counts"
    (fixed,) = program(model(declared.replace("N", "500") + body)).binders
    assert fixed.arena_bytes() == opened.arena_bytes()
