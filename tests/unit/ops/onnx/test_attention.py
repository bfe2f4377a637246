"""Attention: what a query may see, shared keys without copies, and rows that see nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sardonyx.frontend import load
from tests.unit.frontend.models import outputs, parsed, shapes

Array = np.ndarray[Any, Any]
RNG = np.random.default_rng(0)


def numbers(*shape: int) -> Array:
    return RNG.standard_normal(shape).astype(np.float32)


def expected(q: Array, k: Array, v: Array, allowed: Array) -> Array:
    share = q.shape[1] // k.shape[1]
    k, v = k.repeat(share, 1), v.repeat(share, 1)
    scores = np.where(allowed, q @ k.swapaxes(2, 3) / np.sqrt(q.shape[3]), -np.inf)
    with np.errstate(all="ignore"):
        e = np.exp(scores - scores.max(-1, keepdims=True))
        return np.asarray(np.nan_to_num(e / e.sum(-1, keepdims=True)) @ v)


@pytest.mark.parametrize("sizes", ["2,{0},5,8", "B,{0},S,D"])
@pytest.mark.parametrize("groups", [4, 2, 1])
def test_heads_may_share_keys(sizes: str, groups: int) -> None:
    head = f"float[{sizes.format(4)}] q, float[{sizes.format(groups)}] k, float[{sizes.format(groups)}] v"
    model = parsed(f"g ({head}) => (float[?] y) {{ y = Attention<is_causal = 1>(q, k, v) }}", 23)
    q, k, v = numbers(2, 4, 5, 8), numbers(2, groups, 5, 8), numbers(2, groups, 5, 8)
    (y,) = outputs(model, q, k, v)
    np.testing.assert_allclose(y, expected(q, k, v, np.tri(5, dtype=bool)), atol=1e-5)
    assert not [n for n in load(model).graph.order() if n.prim in ("gather", "concat")]


def test_a_query_that_sees_nothing_gives_zero() -> None:
    model = parsed(
        """g (float[B,H,S,8] q, float[B,H,T,8] k, bool[S,T] m) => (float[?] y) {
        y = Attention(q, k, k, m) }""",
        23,
    )
    q, k = numbers(1, 2, 3, 8), numbers(1, 2, 4, 8)
    mask = np.array([[1, 1, 0, 1], [0, 0, 0, 0], [0, 1, 0, 0]], bool)
    (y,) = outputs(model, q, k, mask)
    assert not y[:, :, 1].any()
    np.testing.assert_allclose(y, expected(q, k, k, mask), atol=1e-5)


@pytest.mark.parametrize(("kind", "lowest"), [("float", -3.4e38), ("double", -3.5e38), ("double", -1.79e308)])
def test_a_query_that_sees_all_keys_as_badly_mixes_them_evenly(kind: str, lowest: float) -> None:
    model = parsed(
        f"""g ({kind}[1,1,3,8] q, {kind}[1,1,4,8] k, {kind}[3,4] m) => ({kind}[?] y) {{
        y = Attention(q, k, k, m) }}""",
        23,
    )
    dtype = np.dtype(np.float32 if kind == "float" else np.float64)
    mask = np.zeros((3, 4), dtype)
    mask[1] = lowest
    q, k = numbers(1, 1, 3, 8).astype(dtype), numbers(1, 1, 4, 8).astype(dtype)
    (y,) = outputs(model, q, k, mask)
    np.testing.assert_allclose(y[0, 0, 1], k[0, 0].mean(0), atol=1e-6)


def test_the_cache_grows_by_the_new_keys() -> None:
    model = parsed(
        """g (float[B,S,16] q, float[B,2,P,8] p) => (float[?] y, float[?] k, float[?] v) {
        y, k, v = Attention<q_num_heads = 2, kv_num_heads = 2>(q, q, q, , p, p) }""",
        23,
    )
    assert shapes(model) == ["B,S,16", "B,2,S+P,8", "B,2,S+P,8"]
    q, past = numbers(2, 3, 16), numbers(2, 2, 4, 8)
    y, k, _ = outputs(model, q, past)
    new = q.reshape(2, 3, 2, 8).swapaxes(1, 2)
    np.testing.assert_array_equal(k, np.concatenate([past, new], 2))
    wanted = expected(new, k, k, np.ones((3, 7), bool)).swapaxes(1, 2).reshape(2, 3, 16)
    np.testing.assert_allclose(y, wanted, atol=1e-5)


@pytest.mark.parametrize("interleaved", [0, 1])
def test_rotation_keeps_lengths_and_undoes_itself(interleaved: int) -> None:
    call = f"RotaryEmbedding<interleaved = {interleaved}, rotary_embedding_dim = 6>"
    model = parsed(
        f"""g (float[B,H,S,8] x, float[9,3] c, float[9,3] s, int64[B,S] p) => (float[?] y) {{
        n = Neg(s)  t = {call}(x, c, s, p)  y = {call}(t, c, n, p) }}""",
        23,
    )
    x, angles = numbers(2, 3, 4, 8), numbers(9, 3)
    places = RNG.integers(0, 9, (2, 4))
    (y,) = outputs(model, x, np.cos(angles), np.sin(angles), places)
    np.testing.assert_allclose(y, x, atol=1e-5)
