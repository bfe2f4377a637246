"""What products and convolutions mean, by definition: loops over elements beside the array formulas."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sardonyx.base import dtype as dt
from sardonyx.ir.contractions import conv, conv_blocked, conv_transpose, dot


@st.composite
def convolutions(draw: st.DrawFn) -> dict[str, Any]:
    small = st.integers(1, 3)
    return {
        "strides": (draw(small), draw(small)),
        "dilations": (draw(small), draw(small)),
        "low": (draw(st.integers(0, 2)), 0),
        "high": (draw(st.integers(0, 2)), 1),
        "group": draw(st.integers(1, 2)),
        "kernel": (draw(small), draw(small)),
    }


@given(convolutions())
@settings(max_examples=30, deadline=None)
def test_convolution_and_its_gradient(case: dict[str, Any]) -> None:
    kernel, rng = case.pop("kernel"), np.random.default_rng(0)
    x = rng.integers(-4, 5, (2, 2 * case["group"], 7, 8)).astype(np.float32)
    w = rng.integers(-4, 5, (3 * case["group"], 2, *kernel)).astype(np.float32)
    y = conv(x, w, **case)
    padded = np.pad(x, ((0, 0), (0, 0), *zip(case["low"], case["high"], strict=True)))
    for place in np.ndindex(*y.shape):
        n, o, *at = place
        first = o // 3 * 2
        total = 0.0
        for i, tap in itertools.product(range(2), np.ndindex(*kernel)):
            steps = zip(at, case["strides"], tap, case["dilations"], strict=True)
            total += padded[(n, first + i, *(p * s + k * d for p, s, k, d in steps))] * w[(o, i, *tap)]
        assert y[place] == total
    back = {name: case[name] for name in ("strides", "dilations", "low", "group")}
    g = rng.integers(-4, 5, y.shape).astype(np.float64)
    gradient = conv_transpose(g, w, out=x.shape[2:], **back)
    assert np.sum(gradient * x) == np.sum(g * y), "the two are adjoint"


@pytest.mark.parametrize("largest", [100, 1 << 24, 1 << 40])
def test_a_convolution_of_whole_numbers_is_exact(largest: int) -> None:
    x, w = np.array([[[largest, 1, -largest]]]), np.array([[[largest + 1, 3]]])
    y = conv(x, w, strides=(1,), dilations=(1,), low=(0,), high=(0,), group=1)
    modulus = 1 << 64
    expected = [(largest * (largest + 1) + 3) % modulus, (largest + 1 - 3 * largest) % modulus]
    assert y.dtype == np.int64 and [v % modulus for v in y.reshape(-1).tolist()] == expected


def test_blocked_images_mean_the_same() -> None:
    rng = np.random.default_rng(1)
    x, w = (
        rng.integers(-3, 4, (1, 20, 5, 6)).astype(np.float32),
        rng.integers(-3, 4, (18, 20, 3, 2)).astype(np.float32),
    )
    plain = conv(x, w, strides=(1, 2), dilations=(1, 1), low=(0, 0), high=(0, 0), group=1)
    blocked = np.pad(x, ((0, 0), (0, 12), (0, 0), (0, 0))).reshape(1, 2, 16, 5, 6).transpose(0, 1, 3, 4, 2)
    got = conv_blocked(blocked, w, strides=(1, 2), dilations=(1, 1), group=1, channels=18, block=16)
    back = got.transpose(0, 1, 4, 2, 3).reshape(1, 32, *plain.shape[2:])
    assert np.array_equal(back[:, :18], plain)
    assert not back[:, 18:].any()


def test_products_are_accumulated_wide() -> None:
    a, b = np.float32([[1e8, 1, -1e8]]), np.float32([[1], [1], [1]])
    assert dot(a, b, dtype=dt.F32).tolist() == [[1.0]]
    assert dot(np.int8([[100, 100]]), np.int8([[100], [100]]), dtype=dt.I32).tolist() == [[20000]]
