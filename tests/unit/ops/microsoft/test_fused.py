"""Fused operators of com.microsoft beside the formulas that their documentation gives, in numpy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sardonyx.base import dtype as dt
from sardonyx.errors import SardonyxError, UnsupportedOp
from sardonyx.ir.value import Value, const, placeholder
from sardonyx.ops.microsoft import fused
from tests.unit.ops.formulas import Array, computed

RNG = np.random.default_rng(3)


def real(*shape: int) -> Array:
    return RNG.standard_normal(shape).astype(np.float32)


def sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def gelu_by_tanh(x: Array) -> Array:
    found: Array = 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))
    return found


def check(found: Value | None, expected: Array) -> None:
    assert found is not None
    np.testing.assert_allclose(computed(found)[0], expected, rtol=1e-5, atol=1e-5)


def normal(x: Array, *, centred: bool, epsilon: float = 1e-12) -> Array:
    mean = x.mean(-1, keepdims=True) if centred else 0
    found: Array = (x - mean) / np.sqrt(((x - mean) ** 2).mean(-1, keepdims=True) + epsilon)
    return found


def test_a_skip_is_added_before_the_norm_and_told() -> None:
    x, skip, gamma, beta, bias = real(2, 3, 4), real(3, 4), real(4), real(4), real(4)
    total = x + skip + bias
    y, _, _, told = fused.skip_layer_normalization(*map(const, (x, skip, gamma, beta, bias)))
    check(told, total)
    check(y, normal(total, centred=True) * gamma + beta)
    y, mean, inverse, told = fused.skip_simplified_layer_normalization(*map(const, (x, skip, gamma, bias)))
    assert mean is None
    check(told, total)
    check(y, normal(total, centred=False) * gamma)
    check(inverse, 1 / np.sqrt((total**2).mean(-1, keepdims=True)))


def test_embeddings_are_added_and_words_counted() -> None:
    ids, segments = np.array([[1, 2], [0, 1]], np.int32), np.array([[0, 1], [1, 1]], np.int32)
    words, places, kinds, gamma, beta = real(3, 4), real(5, 4), real(2, 4), real(4), real(4)
    mask = np.array([[1, 1], [1, 0]], np.int32)
    operands = map(const, (ids, segments, words, places, kinds, gamma, beta, mask))
    y, counts, total = fused.embed_layer_normalization(*operands)
    expected = words[ids] + places[:2] + kinds[segments]
    check(total, expected)
    check(y, normal(expected, centred=True) * gamma + beta)
    assert computed(counts)[0].tolist() == [2, 1]
    plain = map(const, (ids, words, places, gamma, beta, np.array([[4, 0], [1, 1]], np.int32)))
    a, w, p, g, b, at = plain
    _, counts, total = fused.embed_layer_normalization(a, None, w, p, None, g, b, None, at)
    check(total, words[ids] + places[[[4, 0], [1, 1]]])
    assert computed(counts)[0].tolist() == [0, 0]


def test_activations_with_a_bias() -> None:
    x, bias, skip = real(3, 4), real(4), real(3, 4)
    check(fused.fast_gelu(const(x), const(bias)), gelu_by_tanh(x + bias))
    check(fused.fast_gelu(const(x)), gelu_by_tanh(x))
    check(fused.quick_gelu(const(x), alpha=2.0), x * sigmoid(2 * x))
    check(fused.bias_add(const(x), const(bias), const(skip)), x + bias + skip)
    plain, biased = fused.microsoft_gelu(const(x + bias)), fused.bias_gelu(const(x), const(bias))
    check(biased, computed(plain)[0])
    halves = np.split(x + bias, 2, 1)
    gelu = computed(fused.microsoft_gelu(const(halves[1])))[0]
    check(fused.bias_split_gelu(const(x), const(bias)), halves[0] * gelu)


@pytest.mark.parametrize(
    ("shape", "inner", "axis"), [((2, 3, 4), 0, 2), ((2, 4), 1, 2), ((3, 4), 0, 1), ((1, 3, 4), 0, 1)]
)
def test_a_bias_of_a_softmax_may_lack_axes(shape: tuple[int, ...], inner: int, axis: int) -> None:
    data, bias = real(2, 3, 4), real(*shape)
    wide = bias.reshape(2, 1, 4) if inner else bias
    x = (data + wide).reshape((*data.shape[:axis], -1)).astype(np.float64)
    expected = (np.exp(x) / np.exp(x).sum(-1, keepdims=True)).reshape(data.shape)
    check(fused.bias_softmax(const(data), const(bias), is_inner_broadcast=inner, axis=axis), expected)


@pytest.mark.parametrize("alpha", [1.0, 0.5])
def test_products_are_transposed_as_asked(alpha: float) -> None:
    a, b = real(2, 5, 3), real(4, 2, 5)
    found = fused.fused_matmul(const(a), const(b), alpha=alpha, transA=1, transBatchB=1, transB=1)
    expected = np.stack([a[n].T @ b[:, n].T for n in range(2)])
    check(found, alpha * expected)
    sparse = fused.sparse_to_dense_matmul(const(a[0]), const(b[0].T), alpha=alpha, transA=1)
    check(sparse, alpha * a[0].T @ b[0].T)


@pytest.mark.parametrize(
    ("ngram", "words", "barred"),
    [(1, [3, 1], [1, 3]), (2, [3, 1, 3], [1]), (3, [1, 2, 4, 1, 2], [4]), (4, [1, 2], []), (2, [2, 3], [])],
)
def test_rows_of_words_are_not_repeated(ngram: int, words: list[int], barred: list[int]) -> None:
    scores = real(1, 6)
    (found,) = computed(fused.ngram_repeat_block(const(np.array([words])), const(scores), ngram_size=ngram))
    assert np.flatnonzero(np.isneginf(found[0])).tolist() == barred
    kept = ~np.isneginf(found)
    np.testing.assert_array_equal(found[kept], scores[kept])


ACTIVATIONS: dict[str, tuple[list[float], Any]] = {
    "": ([], lambda y: y),
    "Relu": ([], lambda y: np.maximum(y, 0)),
    "Tanh": ([], np.tanh),
    "Sigmoid": ([], sigmoid),
    "LeakyRelu": ([0.2], lambda y: np.where(y < 0, 0.2 * y, y)),
    "Elu": ([0.5], lambda y: np.where(y < 0, 0.5 * (np.exp(y) - 1), y)),
    "Clip": ([-0.5, 0.5], lambda y: y.clip(-0.5, 0.5)),
    "HardSigmoid": ([0.3, 0.4], lambda y: (0.3 * y + 0.4).clip(0, 1)),
}


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_an_activation_by_its_name(name: str) -> None:
    y, (params, formula) = real(3, 5), ACTIVATIONS[name]
    check(fused.activated(const(y), name, params), formula(y))
    a, b, c = real(3, 4), real(5, 4), real(5)
    alpha, beta, *_ = *params, None, None
    found = fused.fused_gemm(
        *map(const, (a, b, c)), activation=name, activation_alpha=alpha, activation_beta=beta, transB=1
    )
    check(found, formula(a @ b.T + c))


@pytest.mark.parametrize(("name", "params"), [("Swish", []), ("Clip", [1.0])])
def test_an_activation_without_a_meaning_is_refused(name: str, params: list[float]) -> None:
    with pytest.raises(UnsupportedOp, match=f"the fused activation '{name}' is not supported"):
        fused.activated(const(real(2)), name, params)


def test_channels_may_come_last() -> None:
    x, w, b = real(1, 5, 6, 2), real(3, 2, 2, 2), real(3)
    first = const(np.ascontiguousarray(x.transpose(0, 3, 1, 2)))
    plain = computed(fused.fused_conv(first, const(w), const(b)))[0].transpose(0, 2, 3, 1)
    check(fused.nhwc_conv(const(x), const(w), const(b)), plain)
    z = real(1, 3, 4, 5)
    relued = fused.fused_conv(first, const(w), const(b), const(z), activation="Relu")
    check(relued, np.maximum(plain.transpose(0, 3, 1, 2) + z, 0))
    check(fused.nhwc_max_pool(const(x), kernel_shape=(5, 6)), x.max((1, 2), keepdims=True))
    assert fused.channels_last(fused.channels_first(placeholder("x", dt.F32, (1, 2, 3, 4)))).shape == (
        1,
        2,
        3,
        4,
    )


@pytest.mark.parametrize("last", [0, 1])
@pytest.mark.parametrize("activation", [0, 1])
def test_a_norm_of_groups_of_channels(last: int, activation: int) -> None:
    x, gamma, beta = real(2, 4, 3), real(4), real(4)
    grouped = x.reshape(2, 2, 6)
    y = normal(grouped, centred=True, epsilon=1e-5).reshape(x.shape) * gamma[:, None] + beta[:, None]
    expected = y * sigmoid(y) if activation else y
    given = x.transpose(0, 2, 1) if last else x
    found = fused.group_norm(
        *map(const, (np.ascontiguousarray(given), gamma, beta)),
        activation=activation,
        groups=2,
        channels_last=last,
    )
    check(found, expected.transpose(0, 2, 1) if last else expected)


def test_a_bias_of_another_size_is_refused() -> None:
    with pytest.raises(SardonyxError, match="the bias"):
        fused.fast_gelu(const(real(3, 4)), const(real(3)))
