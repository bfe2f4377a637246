"""Antialiased Resize beside its definition in float64: types, sizes known and free, bodies, targets."""

from __future__ import annotations

import numpy as np
import pytest

import sardonyx
from tests.property.operators.definitions.resizing import antialiased
from tests.tolerance import bound
from tests.unit.frontend.models import parsed

TARGETS = ("", "x86_64-v3", "reference")
SIZES = ((37, 50, 9, 64), (5, 3, 11, 2), (130, 7, 1, 7), (1, 400, 3, 33))
TYPES = {"float": np.float32, "double": np.float64, "float16": np.float16, "uint8": np.uint8}


def session(model: str, target: str) -> sardonyx.InferenceSession:
    options = sardonyx.SessionOptions()
    options.add_session_config_entry("sardonyx.target", target)
    return sardonyx.InferenceSession(parsed(model).SerializeToString(), options)


def resized(kind: str, sizes: str, how: str = 'mode = "linear"') -> str:
    call = f"y = Resize<antialias = 1, axes = [1, 2], {how}>(x, , , n)"
    return f"g ({kind}[{sizes}] x, int64[2] n) => ({kind}[?, ?, ?] y) {{ {call} }}"


def pixels(height: int, width: int, kind: str = "float") -> np.ndarray:
    random = np.random.default_rng(height * width)
    return random.integers(0, 256, (2, height, width)).astype(TYPES[kind])


def expected(x: np.ndarray, height: int, width: int, *how: bool) -> np.ndarray:
    return antialiased(antialiased(x, 1, height, *how), 2, width, *how)


def check(got: np.ndarray, exact: np.ndarray, taps: int) -> None:
    if got.dtype == np.uint8:
        low, high = (np.floor(np.clip(exact + step, 0, 255)) for step in (-1e-3, 1e-3))
        assert ((got == low) | (got == high)).all()
    else:
        assert (np.abs(got - exact) <= bound(exact.astype(got.dtype), taps)).all()


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("kind", TYPES)
def test_sizes_come_with_the_feed(kind: str, target: str) -> None:
    made = session(resized(kind, "N, H, W"), target)
    for height, width, rows, columns in SIZES:
        x = pixels(height, width, kind)
        (y,) = made.run(None, {"x": x, "n": np.array([rows, columns])})
        check(y, expected(x, rows, columns), height + width)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("inside", [False, True])
def test_cubic_kernels_reach_twice_as_far(target: str, inside: bool) -> None:
    how = f'mode = "cubic", exclude_outside = {int(inside)}'
    made = session(resized("float", "2, H, W", how), target)
    for height, width, rows, columns in SIZES:
        x = pixels(height, width)
        (y,) = made.run(None, {"x": x, "n": np.array([rows, columns])})
        check(y, expected(x, rows, columns, True, inside), 2 * (height + width))


@pytest.mark.parametrize("target", TARGETS)
def test_known_sizes_and_other_axes(target: str) -> None:
    model = """g (uint8[40, 60, 3] x) => (float[3, 24, 17] y) {
        n = Constant<value_ints = [24, 17]>()
        c = Cast<to = 1>(x)
        r = Resize<antialias = 1, axes = [0, 1], mode = "linear">(c, , , n)
        y = Transpose<perm = [2, 0, 1]>(r)
    }"""
    x = np.random.default_rng(1).integers(0, 256, (40, 60, 3)).astype(np.uint8)
    (y,) = session(model, target).run(None, {"x": x})
    check(y, antialiased(antialiased(x, 0, 24), 1, 17).transpose(2, 0, 1), 100)


@pytest.mark.parametrize("target", TARGETS)
def test_scales_round_sizes_down(target: str) -> None:
    model = """g (float[2, H, W] x) => (float[2, h, w] y) {
        s = Constant<value_floats = [0.3, 2.0]>()
        y = Resize<antialias = 1, axes = [1, 2], mode = "linear">(x, , s)
    }"""
    x = pixels(40, 9)
    (y,) = session(model, target).run(None, {"x": x})
    check(y, expected(x, 12, 18), 49)


@pytest.mark.parametrize("target", TARGETS)
def test_in_a_body(target: str) -> None:
    model = """g (float[N, H, W] x, bool small, int64[2] n) => (float[?, ?, ?] y) {
        y = If (small) <
            then_branch = t () => (float[?, ?, ?] a) {
                a = Resize<antialias = 1, axes = [1, 2], mode = "linear">(x, , , n) },
            else_branch = e () => (float[?, ?, ?] b) { b = Identity(x) }
        >
    }"""
    made, x = session(model, target), pixels(30, 44)
    (y,) = made.run(None, {"x": x, "small": np.array(True), "n": np.array([7, 5])})
    check(y, expected(x, 7, 5), 74)
    (y,) = made.run(None, {"x": x, "small": np.array(False), "n": np.array([7, 5])})
    assert np.array_equal(y, x)
