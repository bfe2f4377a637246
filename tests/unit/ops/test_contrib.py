"""Operators of com.microsoft beside onnxruntime."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sardonyx.ir.graph import Graph
from sardonyx.ir.run import run
from sardonyx.ir.value import const
from sardonyx.ops.microsoft.attention import fused_attention
from tests.models.quantised_lstm import dynamic_points, layer
from tests.unit.ops.peer import assert_agree, both, ours

Array = np.ndarray[Any, Any]
RNG = np.random.default_rng(0)
B, S, T, H, G, D = 2, 5, 7, 4, 2, 16


def real(*shape: int) -> Array:
    return RNG.standard_normal(shape).astype(np.float32)


def bits(dtype: Any, *shape: int) -> Array:
    info = np.iinfo(dtype)
    return RNG.integers(info.min, info.max + 1, shape).astype(dtype)


def flags(*shape: int) -> Array:
    return RNG.integers(0, 2, shape).astype(np.int32)


HEADS = {"bias": None, "mask": None, "added": None, "past_key": None, "past_value": None}
MULTI_HEAD: tuple[tuple[str, dict[str, Array | None], dict[str, Any]], ...] = (
    ("plain", {}, {}),
    ("bias and scale", {"bias": real(3 * H * D)}, {"scale": 0.3}),
    ("lengths", {"mask": np.array([3, 7], np.int32)}, {}),
    ("lengths and places", {"mask": np.array([3, 7, 0, 4, 8, 0, 3, 10], np.int32)}, {}),
    ("flags of keys", {"mask": flags(B, T)}, {}),
    ("flags of pairs", {"mask": flags(B, S, T)}, {"mask_filter_value": -5.0}),
    ("added bias", {"added": real(1, H, S, T)}, {}),
    ("narrow values", {"v": real(B, T, H * 6)}, {}),
    ("keys of another step", {"k": real(B, H, T, D), "v": real(B, H, T, D)}, {}),
    (
        "past and causal",
        {
            "k": real(B, S, H * D),
            "v": real(B, S, H * D),
            "past_key": real(B, H, 3, D),
            "past_value": real(B, H, 3, D),
        },
        {"unidirectional": 1},
    ),
)


@pytest.mark.parametrize(("feeds", "attributes"), [c[1:] for c in MULTI_HEAD], ids=[c[0] for c in MULTI_HEAD])
def test_multi_head_attention(feeds: dict[str, Array | None], attributes: dict[str, Any]) -> None:
    whole = {"q": real(B, S, H * D), "k": real(B, T, H * D), "v": real(B, T, H * D), **HEADS, **feeds}
    names = ("y", "pk", "pv") if "past_key" in feeds else ("y",)
    assert_agree(*both("MultiHeadAttention", "com.microsoft", whole, {"num_heads": H, **attributes}, names))


SINGLE = {"qk": 1}


@pytest.mark.parametrize("masked", [False, True])
def test_scores_are_told_as_the_softmax_gets_them(masked: bool) -> None:
    more = {"mask": flags(B, T), "added": real(1, H, S, T)} if masked else {}
    whole = {"q": real(B, S, H * D), "k": real(B, T, H * D), "v": real(B, T, H * D), **HEADS, **more}
    names = ("y", "", "", "qk")
    assert_agree(*both("MultiHeadAttention", "com.microsoft", whole, {"num_heads": H}, names, types=SINGLE))


W, PAST, ROOM = 3, 4, 6


def beamed(op: str, **more: Array | None) -> dict[str, Array | None]:
    """One new token of every beam, whose past lies in the caches of any beam of its item."""
    rows = B * W
    new = {name: real(rows, 1, H * D) for name in ("q", "k", "v")}
    caches = {name: real(rows, H, ROOM, D) for name in ("pk", "pv")}
    length = {"length": np.array([PAST], np.int32)}
    beams = {"indirection": RNG.integers(0, W, (B, W, ROOM)).astype(np.int32)}
    own = {"mask": None, "added": None, "bias": None, **more}
    bias, masks = {"bias": own["bias"]}, {"mask": own["mask"], "added": own["added"]}
    if op == "MultiHeadAttention":
        return {**new, **bias, **masks, **caches, **length, **beams}
    return {**new, **masks, **caches, **length, "width": np.array([W], np.int32), **beams, **bias}


BEAMS: dict[str, dict[str, Array | None]] = {
    "plain": {},
    "bias": {"bias": real(3 * H * D)},
    "mask": {"mask": flags(B * W, PAST + 1)},
    "added for all": {"added": real(1, H, 1, PAST + 1)},
    "added for each": {"added": real(B * W, H, 1, PAST + 1)},
}


@pytest.mark.parametrize("op", ["MultiHeadAttention", "DecoderMaskedMultiHeadAttention"])
@pytest.mark.parametrize("case", BEAMS)
def test_attention_of_beams(op: str, case: str) -> None:
    feeds = beamed(op, **BEAMS[case])
    decoder = {"past_present_share_buffer": 1, "output_qk": 1} if op.startswith("Decoder") else {}
    names, attributes = ("y", "k2", "v2", "qk"), {"num_heads": H, **decoder}
    assert_agree(*both(op, "com.microsoft", feeds, attributes, names, types=SINGLE))


def test_a_decoder_step_without_beams_tells_its_scores() -> None:
    feeds = {**beamed("Decoder"), "width": None, "indirection": None, "bias": real(3 * H * D)}
    attributes = {"num_heads": H, "past_present_share_buffer": 1, "output_qk": 1}
    names = ("y", "k2", "v2", "qk")
    assert_agree(
        *both("DecoderMaskedMultiHeadAttention", "com.microsoft", feeds, attributes, names, types=SINGLE)
    )


def test_a_mask_of_all_places() -> None:
    """Onnxruntime has no such kernel on the CPU: rows and columns in use are what a mask of pairs says."""
    whole = flags(B, 1, 9, 9) | np.eye(9, dtype=np.int32)
    past = real(2, B, H, 3, D)
    own = real(B, S, 8), real(8, 3 * H * D), real(3 * H * D)

    def result(mask: Array) -> Any:
        graph = Graph((), (("y", fused_attention(*map(const, (*own, mask, past)), num_heads=H)[0]),))
        return run(graph, [])[0]

    rows = np.ascontiguousarray(whole[:, 0, 3 : 3 + S, : 3 + S])
    np.testing.assert_array_equal(result(whole), result(rows))


FUSED: tuple[tuple[str, dict[str, Array | None], dict[str, Any]], ...] = (
    ("plain", {}, {}),
    ("lengths", {"mask": np.array([3, 5], np.int32)}, {}),
    ("ranges", {"mask": np.array([3, 5, 1, 0], np.int32)}, {}),
    ("lengths and places", {"mask": np.array([3, 4, 0, 3, 7, 0, 3, 7], np.int32)}, {}),
    ("flags", {"mask": flags(B, S, S)}, {}),
    ("causal past", {"past": real(2, B, H, 3, D)}, {"unidirectional": 1}),
    ("added bias", {"added": real(1, H, S, S)}, {}),
)


@pytest.mark.parametrize(("feeds", "attributes"), [c[1:] for c in FUSED], ids=[c[0] for c in FUSED])
def test_fused_attention(feeds: dict[str, Array | None], attributes: dict[str, Any]) -> None:
    own = {"x": real(B, S, 8), "w": real(8, 3 * H * D), "b": real(3 * H * D)}
    whole: dict[str, Array | None] = {**own, "mask": None, "past": None, "added": None, **feeds}
    assert_agree(
        *both("Attention", "com.microsoft", whole, {"num_heads": H, **attributes}, ("y", "p"), ("w", "b"))
    )


def grouped(rows: int, past: int, room: int | None = None, **more: Array | None) -> dict[str, Array | None]:
    room = past if room is None else room
    return {
        "q": real(B, rows, H * D),
        "k": real(B, rows, G * D),
        "v": real(B, rows, G * D),
        "pk": real(B, G, room, D),
        "pv": real(B, G, room, D),
        "ends": np.full(B, past + rows - 1, np.int32),
        "total": np.asarray(past + rows, np.int32),
        "cos": real(32, D // 2),
        "sin": real(32, D // 2),
        "places": None,
        "added": None,
        "sink": None,
        **more,
    }


GROUPED: tuple[tuple[str, dict[str, Array | None], dict[str, Any]], ...] = (
    ("prompt", grouped(5, 0), {}),
    ("one token", grouped(1, 6), {}),
    ("rotated", grouped(1, 6), {"do_rotary": 1}),
    ("rotated neighbours", grouped(5, 0), {"do_rotary": 1, "rotary_interleaved": 1}),
    ("window", grouped(1, 6), {"local_window_size": 2}),
    ("cap and smooth", grouped(5, 0), {"softcap": 5.0, "smooth_softmax": 1}),
    ("sink", grouped(5, 0, sink=real(H)), {}),
    ("room in the cache", grouped(1, 4, 10, ends=np.array([4, 2], np.int32)), {}),
    ("packed", grouped(5, 0, q=real(B, 5, (H + 2 * G) * D), k=None, v=None), {}),
)


@pytest.mark.parametrize(("feeds", "attributes"), [c[1:] for c in GROUPED], ids=[c[0] for c in GROUPED])
def test_group_query_attention(feeds: dict[str, Array | None], attributes: dict[str, Any]) -> None:
    while [*feeds.values()][-1] is None:
        feeds = dict([*feeds.items()][:-1])
    attributes = {"num_heads": H, "kv_num_heads": G, **attributes}
    assert_agree(*both("GroupQueryAttention", "com.microsoft", feeds, attributes, ("y", "pk2", "pv2")))


WORDS = RNG.integers(0, 20, (B, S)).astype(np.int32)
EMBEDDED = {"w": real(20, 8), "p": real(10, 8), "s": real(2, 8), "g": real(8), "b": real(8)}
FORMULAS: tuple[tuple[str, dict[str, Array | None], dict[str, Any], tuple[str, ...]], ...] = (
    (
        "SkipLayerNormalization",
        {"x": real(B, S, 8), "s": real(S, 8), "g": real(8), "b": real(8), "c": real(8)},
        {},
        ("y", "", "", "z"),
    ),
    ("SkipSimplifiedLayerNormalization", {"x": real(B, S, 8), "s": real(B, S, 8), "g": real(8)}, {}, ("y",)),
    (
        "EmbedLayerNormalization",
        {"i": WORDS, "j": flags(B, S), **EMBEDDED, "m": flags(B, S)},
        {},
        ("y", "m2", "e"),
    ),
    ("BiasGelu", {"x": real(3, 8), "b": real(8)}, {}, ("y",)),
    ("FastGelu", {"x": real(3, 8), "b": real(8)}, {}, ("y",)),
    ("QuickGelu", {"x": real(3, 8)}, {"alpha": 1.5}, ("y",)),
    ("FusedMatMul", {"a": real(3, 4, 2, 5), "b": real(4, 2, 6, 5)}, {"transBatchA": 1, "transB": 1}, ("y",)),
    (
        "FusedGemm",
        {"a": real(3, 4), "b": real(4, 5)},
        {"activation": "LeakyRelu", "activation_alpha": 0.3},
        ("y",),
    ),
    (
        "FusedConv",
        {"x": real(1, 3, 6, 6), "w": real(4, 3, 3, 3), "b": real(4), "z": real(1, 4, 4, 4)},
        {"activation": "Clip", "activation_params": [-0.5, 0.5], "kernel_shape": [3, 3]},
        ("y",),
    ),
    (
        "RotaryEmbedding",
        {"x": real(B, S, H * D), "p": np.array([2]), "c": real(32, D // 2), "s": real(32, D // 2)},
        {},
        ("y",),
    ),
    ("NhwcMaxPool", {"x": bits(np.uint8, 1, 6, 6, 3)}, {"kernel_shape": [2, 2], "strides": [2, 2]}, ("y",)),
)


@pytest.mark.parametrize(("op", "feeds", "attributes", "names"), FORMULAS, ids=[c[0] for c in FORMULAS])
def test_formula(
    op: str, feeds: dict[str, Array | None], attributes: dict[str, Any], names: tuple[str, ...]
) -> None:
    assert_agree(*both(op, "com.microsoft", feeds, attributes, names))


def scale(number: float) -> Array:
    return np.asarray(number, np.float32)


def point(dtype: Any, number: int) -> Array:
    return np.asarray(number, dtype)


@pytest.mark.parametrize("kind", [np.uint8, np.int8])
@pytest.mark.parametrize("op", ["QLinearAdd", "QLinearMul", "QLinearLeakyRelu", "QLinearSigmoid"])
def test_points_of_formulas(op: str, kind: Any) -> None:
    feeds = {"a": bits(kind, 3, 40), "s": scale(0.02), "z": point(kind, 3)}
    if op in ("QLinearAdd", "QLinearMul"):
        feeds |= {"b": bits(kind, 3, 40), "t": scale(0.03), "p": point(kind, 5)}
    feeds |= {"u": scale(0.05), "q": point(kind, 7)}
    assert_agree(*both(op, "com.microsoft", feeds))


@pytest.mark.parametrize("last", [0, 1])
@pytest.mark.parametrize("op", ["QLinearAveragePool", "QLinearGlobalAveragePool"])
def test_points_of_pools(op: str, last: int) -> None:
    feeds = {"a": bits(np.uint8, 1, 6, 5, 4), "s": scale(0.02), "z": point(np.uint8, 3)}
    feeds |= {"u": scale(0.03), "q": point(np.uint8, 7)}
    attributes: dict[str, Any] = {"channels_last": last}
    if op == "QLinearAveragePool":
        attributes |= {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}
    assert_agree(*both(op, "com.microsoft", feeds, attributes))


@pytest.mark.parametrize("kind", [np.uint8, np.int8])
def test_products_of_points(kind: Any) -> None:
    zeros, scales = bits(kind, 4), np.abs(real(4))
    b = bits(kind, 10, 4)
    dynamic = {"a": real(3, 10), "b": b, "s": scales, "z": zeros, "c": real(4)}
    points, step = dynamic_points(dynamic["a"])
    exact = points @ (b - zeros.astype(float)) * (step * scales) + dynamic["c"]
    found = ours("DynamicQuantizeMatMul", "com.microsoft", dynamic, constants=("b", "s", "z"))
    assert_agree(found, [exact.astype(np.float32)])
    a = {"a": bits(kind, 3, 10), "b": b, "s": scale(0.05), "t": scales, "p": point(kind, 3), "z": zeros}
    exact = (a["a"] - 3.0) @ (b - zeros.astype(float)) * 0.05 * scales + dynamic["c"]
    found = ours("MatMulIntegerToFloat", "com.microsoft", a | {"c": dynamic["c"]})
    assert_agree(found, [exact.astype(np.float32)])
    gemm = {"a": a["a"], "s": scale(0.05), "p": point(kind, 3), "b": b, "t": scale(0.02), "q": point(kind, 1)}
    gemm |= {"c": RNG.integers(-500, 500, 4).astype(np.int32), "u": scale(0.5), "r": point(kind, 10)}
    exact = np.rint(((a["a"] - 3.0) @ (b - 1.0) + gemm["c"]) * 0.05 * 0.02 / 0.5) + 10
    info = np.iinfo(kind)
    assert_agree(ours("QGemm", "com.microsoft", gemm), [exact.clip(info.min, info.max).astype(kind)])


def test_an_lstm_whose_weights_are_quantised() -> None:
    size, inner = 8, 6
    feeds: dict[str, Array | None] = {
        "x": real(9, 1, inner),
        "w": bits(np.int8, 2, inner, 4 * size),
        "r": bits(np.int8, 2, size, 4 * size),
        "b": real(2, 8 * size),
        **dict.fromkeys(("lens", "h", "c", "p")),
        "ws": np.abs(real(2)) * np.float32(0.01),
        "wz": np.zeros(2, np.int8),
        "rs": np.abs(real(2)) * np.float32(0.01),
        "rz": np.zeros(2, np.int8),
    }
    attributes = {"hidden_size": size, "direction": "bidirectional"}
    constants = ("w", "r", "b", "ws", "wz", "rs", "rz")
    found = ours("DynamicQuantizeLSTM", "com.microsoft", feeds, attributes, ("y", "h2", "c2"), constants)
    exact = layer(list(feeds.values()), "bidirectional")
    assert_agree(found, [v.astype(np.float32) for v in exact])
