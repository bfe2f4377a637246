"""Random tensors: formulas over one number for each node and run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest

import sardonyx
from sardonyx.base.abi import RandomState
from sardonyx.frontend import load
from sardonyx.ir.run import run
from sardonyx.runtime.seed import STATE
from tests.unit.frontend.models import outputs, parsed


def test_normal_numbers_have_their_moments() -> None:
    (y,) = outputs(
        parsed("g () => (float[?] y) { y = RandomNormal<shape = [500, 400], mean = 3.0, scale = 2.0>() }")
    )
    unit = (y - 3) / 2
    moments = [unit.mean(), unit.var(), (unit**3).mean(), (unit**4).mean()]
    five_deviations = 5 * np.sqrt(np.array([1, 2, 15, 96]) / y.size)
    assert np.all(np.abs(np.array(moments) - [0, 1, 0, 3]) < five_deviations)


def test_neighbours_and_nodes_are_independent() -> None:
    text = """g (float[N,M] x) => (float[?] a, float[?] b) {
        a = RandomUniformLike(x)  b = RandomUniformLike(x)
    }"""
    a, b = outputs(parsed(text), np.zeros((300, 400), np.float32))
    pairs = ((a, b), (a[:, 1:], a[:, :-1]), (a[1:], a[:-1]))
    assert all(abs(np.corrcoef(p.ravel(), q.ravel())[0, 1]) < 0.02 for p, q in pairs)
    assert a.min() >= 0
    assert a.max() < 1


@pytest.mark.parametrize(("seed", "equal"), [("", False), ("seed = 7.0, ", True)])
def test_runs_differ_unless_seeded(seed: str, equal: bool) -> None:
    graph = load(parsed(f"g () => (float[?] y) {{ y = RandomUniform<{seed}shape = [8]>() }}")).graph
    (first,), (second,) = run(graph, []), run(graph, [])
    assert np.array_equal(first, second) == equal


def test_classes_are_drawn_by_their_weights() -> None:
    text = "g (float[B,3] x) => (int32[?] y) { y = Multinomial<sample_size = 20000>(x) }"
    weights = np.array([[0.5, 0.2, 0.3]])
    (y,) = outputs(parsed(text), np.log(weights).astype(np.float32) + 5)
    np.testing.assert_allclose(np.bincount(y[0]) / 20000, weights[0], atol=0.02)


def test_chances_of_bernoulli() -> None:
    (y,) = outputs(
        parsed("g (float[N] x) => (float[?] y) { y = Bernoulli(x) }"),
        np.repeat(np.array([0, 0.25, 1], np.float32), 4000),
    )
    np.testing.assert_allclose(y.reshape(3, -1).mean(1), [0, 0.25, 1], atol=0.03)


@pytest.mark.parametrize("threads", [1, 2])
def test_a_seed_of_the_process_makes_runs_repeat(threads: int) -> None:
    options = sardonyx.SessionOptions()
    options.intra_op_num_threads = threads
    model = parsed(
        """g () => (float[?] a, float[?] b) {
            a = RandomNormal<shape = [9]>() b = RandomUniform<shape = [300, 400]>()
        }"""
    )

    def draw(runs: int) -> list[bytes]:
        session = sardonyx.InferenceSession(model.SerializeToString(), options)
        return [y.tobytes() for _ in range(runs) for y in session.run(None, {})]

    with chance_by_the_clock_after():
        sardonyx.set_seed(7)
        first = draw(3)
        sardonyx.set_seed(7)
        assert draw(2) == first[:4]
        assert draw(1) == first[4:]
        assert len(set(first)) == 6
        sardonyx.set_seed(-8)
        assert not set(draw(2)) & set(first)
    assert draw(1) != draw(1)


@contextmanager
def chance_by_the_clock_after() -> Iterator[None]:
    try:
        yield
    finally:
        STATE[RandomState.SEEDED] = 0
