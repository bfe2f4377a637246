"""Old and new versions of operators: what moved between attributes and inputs, what changed its meaning."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest

from tests.unit.frontend.models import outputs, parsed


def f32(data: Any) -> np.ndarray[Any, Any]:
    return np.array(data, np.float32)


RANDOM = np.random.default_rng(0)
X = np.arange(24, dtype=np.float32).reshape(2, 3, 4)

CASES: tuple[tuple[int, str, Any], ...] = (
    (
        1,
        "u = Reshape<shape = [1, 2, 3, 4]>(x) w = Upsample<height_scale = 2.0, width_scale = 1.5>(u)"
        "y = Reshape<shape = [2, 6, 6]>(w)",
        X.repeat(2, 1)[:, :, [0, 0, 1, 2, 2, 3]],
    ),
    (
        6,
        "c = Constant<value = float[3] {1, 2, 3}>() y = Add<axis = 1, broadcast = 1>(x, c)",
        X + f32([[1], [2], [3]]),
    ),
    (7, "c = Constant<value = float[4] {1, 2, 3, 4}>() y = Add(x, c)", X + f32([1, 2, 3, 4])),
    (6, "y = Clip<min = 2.0, max = 5.0>(x)", X.clip(2, 5)),
    (12, "l = Constant<value_float = 2.0>() y = Clip(x, l)", X.clip(2)),
    (
        12,
        "l = Constant<value_float = 9.0>() h = Constant<value_float = 5.0>() y = Clip(x, l, h)",
        np.full_like(X, 5),
    ),
    (9, "y = Slice<starts = [1, -2], ends = [9, 9], axes = [1, 2]>(x)", X[:, 1:, -2:]),
    (11, "u = Unsqueeze<axes = [0]>(x) y = Squeeze<axes = [0]>(u)", X),
    (13, "a = Constant<value_ints = [0]>() u = Unsqueeze(x, a) y = Squeeze(u, a)", X),
    (11, "y = ReduceSum<axes = [-1], keepdims = 0>(x)", X.sum(-1)),
    (13, "a = Constant<value_ints = [-1]>() y = ReduceSum(x, a)", X.sum(-1, keepdims=True)),
    (13, "y = ReduceSum<noop_with_empty_axes = 1>(x)", X),
    (17, "y = ReduceMean<axes = [0, 2], keepdims = 0>(x)", X.mean((0, 2))),
    (
        12,
        "y = Softmax<axis = 1>(x)",
        np.exp(X - X.max((1, 2), keepdims=True))
        / np.exp(X - X.max((1, 2), keepdims=True)).sum((1, 2), keepdims=True),
    ),
    (
        13,
        "y = Softmax<axis = 1>(x)",
        np.exp(X - X.max(1, keepdims=True)) / np.exp(X - X.max(1, keepdims=True)).sum(1, keepdims=True),
    ),
    (
        10,
        "y = Pad<pads = [0, 0, 1, 0, 0, -1], value = 7.0>(x)",
        np.pad(X, ((0, 0), (0, 0), (1, 0)), constant_values=7)[..., :-1],
    ),
    (10, "y = Pad<pads = [0, -5, 7, 0, 4, -5], value = 7.0>(x)", np.full((2, 2, 6), 7, np.float32)),
    (
        18,
        "p = Constant<value_ints = [2, 1]>() a = Constant<value_ints = [-1]>()"
        'y = Pad<mode = "reflect">(x, p, , a)',
        np.pad(X, ((0, 0), (0, 0), (2, 1)), mode="reflect"),
    ),
    (
        19,
        'p = Constant<value_ints = [0, 0, 5, 0, 0, 6]>() y = Pad<mode = "wrap">(x, p)',
        np.pad(X, ((0, 0), (0, 0), (5, 6)), mode="wrap"),
    ),
    (
        18,
        'p = Constant<value_ints = [0, 4, 0, 0, 9, 0]>() y = Pad<mode = "reflect">(x, p)',
        np.pad(X, ((0, 0), (4, 9), (0, 0)), mode="reflect"),
    ),
    (5, 'y = Cast<to = "FLOAT">(x)', X),
    (4, "y = Reshape<shape = [0, -1]>(x)", X.reshape(2, 12)),
    (11, "y, z = Split<axis = 1, split = [1, 2]>(x)", X[:, :1]),
    (13, "s = Constant<value_ints = [1, 2]>() z, y = Split<axis = 1>(x, s)", X[:, 1:]),
    (18, "z, w, y = Split<axis = 2, num_outputs = 3>(x)", X[..., 4:]),
    (9, "y = Dropout<ratio = 0.5>(x)", X),
    (12, "y = Pow(x, x)", None),
    (3, "y = Concat<axis = 1>(x, x)", np.concatenate([X, X], 1)),
)


@pytest.mark.parametrize(("opset", "body", "expected"), CASES, ids=[f"{c[0]}: {c[1][:50]}" for c in CASES])
def test_meaning(opset: int, body: str, expected: Any) -> None:
    model = parsed(f"g (float[2,3,4] x) => (float[?] y) {{ {body} }}", opset)
    (y,) = outputs(model, X)
    with np.errstate(all="ignore"):
        np.testing.assert_allclose(y, X**X if expected is None else expected, rtol=1e-6)


INTEGERS: tuple[tuple[str, str, Any], ...] = (
    ("int32", "y = Div(a, b)", [-3, 3, 3, -3]),
    ("int32", "y = Mod(a, b)", [1, -1, 1, -1]),
    ("int32", "y = Mod<fmod = 1>(a, b)", [-1, -1, 1, 1]),
    ("int64", "y = Div(a, b)", [-3, 3, 3, -3]),
    ("int32", "y = Max(a, b)", [2, -2, 7, 7]),
)


@pytest.mark.parametrize(("kind", "body", "expected"), INTEGERS, ids=[f"{c[0]}: {c[1]}" for c in INTEGERS])
def test_integers(kind: str, body: str, expected: list[int]) -> None:
    model = parsed(f"g ({kind}[4] a, {kind}[4] b) => ({kind}[4] y) {{ {body} }}")
    (y,) = outputs(model, np.array([-7, -7, 7, 7], kind), np.array([2, -2, 2, -2], kind))
    assert y.tolist() == expected


def test_powers_of_mixed_types() -> None:
    model = parsed("g (int32[2] a, float[2] b) => (int32[2] y) { y = Pow(a, b) }")
    (y,) = outputs(model, np.array([2, 9], np.int32), f32([3, 0.5]))
    assert y.tolist() == [8, 3]


@pytest.mark.parametrize(("saturate", "expected"), [(1, [448.0, -448.0]), (0, [np.nan, np.nan])])
def test_casts_to_narrow_floats_saturate(saturate: int, expected: list[float]) -> None:
    body = f"n = Cast<to = 17, saturate = {saturate}>(x) y = Cast<to = 1>(n)"
    (y,) = outputs(parsed(f"g (float[2] x) => (float[2] y) {{ {body} }}"), f32([1e6, -1e6]))
    np.testing.assert_array_equal(y, f32(expected))


def test_numbers_become_text_as_the_peer_writes_them() -> None:
    (y,) = outputs(
        parsed("g (float[5] x) => (string[5] y) { y = Cast<to = 8>(x) }"),
        f32([0.1, 1, -np.inf, np.nan, 1e-7]),
    )
    assert y.tolist() == ["0.1", "1", "-INF", "NaN", "1e-07"]


def test_transforms_of_any_length_agree_with_numpy() -> None:
    signal = np.random.default_rng(0).standard_normal((2, 1500, 1)).astype(np.float32)
    for n in (64, 1500):
        text = f"g (float[2,{n},1] x) => (float[?] y) {{ y = DFT<onesided = 1>(x) }}"
        (y,) = outputs(parsed(text), signal[:, :n])
        spectrum = np.fft.rfft(signal[:, :n, 0])
        np.testing.assert_allclose(y[..., 0] + 1j * y[..., 1], spectrum, atol=1e-4)


def test_batches_are_normalised_by_statistics_that_are_not_rounded() -> None:
    inputs = "float16[1,2] x, bfloat16[2] s, bfloat16[2] b, bfloat16[2] m, bfloat16[2] v"
    call = "y, p, q = BatchNormalization<training_mode = 1>(x, s, b, m, v)"
    ones = np.ones(2, ml_dtypes.bfloat16)
    model = parsed(f"g ({inputs}) => (float16[?,?] y) {{ {call} }}")
    (y,) = outputs(model, np.array([[8.22, -3.447]], np.float16), ones, ones, ones, ones)
    assert y.tolist() == [[1, 1]]


def test_a_batch_of_one_is_its_bias_whatever_its_size() -> None:
    text = """g (float[1,2] x, float[2] s, float[2] b, float[2] m, float[2] v) => (float[?,?] y)
        { y, p, q = BatchNormalization<training_mode = 1, epsilon = 0.0000076>(x, s, b, m, v) }"""
    (y,) = outputs(
        parsed(text), f32([[2.739, -4604.27]]), f32([0.5, -0.92]), f32([0.1, -0.92]), *[f32([1, 1])] * 2
    )
    assert y.tolist() == f32([[0.1, -0.92]]).tolist()
