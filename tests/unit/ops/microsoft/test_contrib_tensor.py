"""Tensor and text operators of com.microsoft beside onnxruntime."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.unit.ops.peer import Array, assert_agree, both

RNG = np.random.default_rng(0)
DOMAIN = "com.microsoft"


def real(*shape: int) -> Array:
    return RNG.standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize("mode", ["constant", "reflect", "edge"])
@pytest.mark.parametrize("pads", [[1, 2, 0, 1], [[0, 1, 2, 0]], [-1, 0, 0, -2]])
def test_pad(mode: str, pads: list[int]) -> None:
    feeds = {"x": real(3, 4), "p": np.array(pads, np.int64), "v": np.float32(1.5)}
    assert_agree(*both("Pad", DOMAIN, feeds, {"mode": mode}, constants=("p",)))


@pytest.mark.parametrize("x", [[2, 1, 1, 3, 4, 3], [], [5, 5]])
def test_unique(x: list[float]) -> None:
    assert_agree(*both("Unique", DOMAIN, {"x": np.array(x, np.float32)}, outputs=("y", "i", "c")))


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_inverse(dtype: Any) -> None:
    x = (real(2, 3, 5, 5) + 4 * np.eye(5)).astype(dtype)
    assert_agree(*both("Inverse", DOMAIN, {"x": x}), rtol=1e-3 if dtype == np.float16 else 1e-4)


@pytest.mark.parametrize("metric", ["sqeuclidean", "euclidean"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_cdist(metric: str, dtype: Any) -> None:
    feeds = {"a": real(7, 3).astype(dtype), "b": real(5, 3).astype(dtype)}
    assert_agree(*both("CDist", DOMAIN, feeds, {"metric": metric}))


WORDS = np.array(["", "a", "bcde", "fghij", "héllo wörld", "日本語"], object)


@pytest.mark.parametrize("positive", [0, 1])
@pytest.mark.parametrize("seed", [0, 42, 4294967295])
@pytest.mark.parametrize("dtype", [np.int32, np.uint32, np.int64, np.uint64, np.float32, np.float64, object])
def test_murmur_hash(positive: int, seed: int, dtype: Any) -> None:
    x = WORDS if dtype is object else np.array([0, 1, 5, 127, 1000000], dtype)
    if np.dtype(dtype).kind in "if":
        x = np.concatenate([x, -x])
    attributes = {"positive": positive, "seed": seed if seed < 2**31 else seed - 2**32}
    assert_agree(*both("MurmurHash3", DOMAIN, {"x": x}, attributes))


TEXTS = ["Hello World", "I love  computer science !", "", "a-b-c", "日本 語", "aabab"]
PATTERNS: tuple[dict[str, Any], ...] = (
    {"separators": [" "]},
    {"separators": [" ", "-"], "mincharnum": 2},
    {"separators": ["b*"]},
    {"separators": ["a|ab"]},
    {"separators": [""]},
    {"tokenexp": "."},
    {"tokenexp": "[a-z]+"},
    {"tokenexp": "a|ab|abab", "mincharnum": 2},
    {"tokenexp": r"\s\s+|[\s\S]"},
    {"tokenexp": "b|a+|[|b]+|ab"},
    {"tokenexp": "(a|ab)a"},
    {"tokenexp": "x*"},
    {"tokenexp": "no such"},
)


@pytest.mark.parametrize("mark", [0, 1])
@pytest.mark.parametrize("shape", [(6,), (2, 3)])
@pytest.mark.parametrize("pattern", PATTERNS, ids=lambda p: " ".join(map(str, p.values())))
def test_tokenizer(mark: int, shape: tuple[int, ...], pattern: dict[str, Any]) -> None:
    attributes = {"mark": mark, "pad_value": "#", "mincharnum": 1, **pattern}
    assert_agree(*both("Tokenizer", DOMAIN, {"x": np.array(TEXTS, object).reshape(shape)}, attributes))
