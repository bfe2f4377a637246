"""Which powers of two make the weights of channels alike in size."""

from __future__ import annotations

import numpy as np

from sardonyx.kernels.digits.even import evened, powers_of


def weights(rng: np.random.Generator, *sizes: float) -> np.ndarray:
    w: np.ndarray = rng.uniform(0.5, 1, (24, len(sizes), 3, 2)) * np.array(sizes).reshape(-1, 1, 1)
    return w.astype(np.float32)


def test_weights_that_are_alike_are_left_alone(rng: np.random.Generator) -> None:
    for w in (weights(rng, 1, 2, 0.7), weights(rng, 0, 0), weights(rng), np.zeros((0, 3, 1, 1), np.float32)):
        assert powers_of(w) is None
        assert evened(w) is w


def test_powers_are_those_of_the_sizes_and_lose_nothing(rng: np.random.Generator) -> None:
    w = weights(rng, 8, 1e-3, 0, 1e-30)
    powers = powers_of(w)
    assert powers is not None
    assert powers[0] == 1
    assert np.array_equal(np.frexp(powers)[0], np.full(4, 0.5))
    assert (powers[2:] == (2.0**-126, 2.0**-64)).all()
    even = evened(w)
    assert np.array_equal(even * powers.reshape(-1, 1, 1), w)
    largest = np.abs(even[:, :2]).max(axis=(0, 2, 3))
    assert largest.max() <= 2.1 * largest.min()
