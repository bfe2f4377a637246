"""Smaller formulas of com.microsoft beside onnxruntime: images, gates, integers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.unit.ops.peer import Array, assert_agree, both

RNG = np.random.default_rng(0)
DOMAIN = "com.microsoft"
Case = tuple[str, dict[str, Array | None], dict[str, Any], tuple[str, ...]]


def real(*shape: int) -> Array:
    return RNG.standard_normal(shape).astype(np.float32)


def codes(*shape: int) -> Array:
    return RNG.integers(0, 256, shape).astype(np.uint8)


def transposed(**attributes: Any) -> Case:
    group = attributes.get("group", 1)
    pads = np.array([1, 0, 1, 1])
    feeds = {"x": real(2, 4, 5, 6), "w": real(4, 3, 3, 3), "p": pads, "b": real(3 * group)}
    return "ConvTransposeWithDynamicPads", feeds, attributes, ("y",)


REGIONS = np.array([[0, 0, 1, 1], [0.1, 0.2, 0.5, 0.9], [-0.2, 0.1, 0.5, 1.3], [0.9, 0.8, 0.1, 0.2]])


def crop(mode: str, *size: int) -> Case:
    images = np.array([0, 1, 1, 0], np.int32)
    feeds = {"x": real(2, 3, 9, 11), "r": REGIONS.astype(np.float32), "i": images}
    attributes = {"mode": mode, "extrapolation_value": 2.5}
    return "CropAndResize", {**feeds, "s": np.array(size, np.int32)}, attributes, ("y",)


def repeated(length: int, ngram_size: int) -> Case:
    feeds = {"i": RNG.integers(0, 3, (3, length)), "s": real(3, 3)}
    return "NGramRepeatBlock", feeds, {"ngram_size": ngram_size}, ("y",)


def gated(activation: str) -> Case:
    feeds = {"x": real(3, 2, 12), "s": real(4), "g": real(3, 2, 12)}
    return "GatedRMSNorm", feeds, {"activation": activation}, ("y",)


def branches(scale: Array | None, **attributes: int) -> Case:
    return "BranchwiseRMSNorm", {"x": real(3, 2, 12), "s": scale}, attributes, ("y",)


def embedded(segments: bool) -> Case:
    ids = RNG.integers(0, 20, (2, 5)).astype(np.int32)
    feeds: dict[str, Array | None] = {"i": ids, "j": ids % 2, "w": codes(20, 8), "p": codes(10, 8)}
    feeds |= {"s": codes(2, 8), "g": codes(8), "b": codes(8), "m": np.minimum(ids % 3, 1)}
    feeds |= {name: np.float32(0.01 * n) for n, name in enumerate("ABCDE", 1)}
    feeds |= {name: np.uint8(3 * n + 100) for n, name in enumerate("FGHIJ")}
    if not segments:
        feeds |= dict.fromkeys(("j", "s", "m", "C", "H"))
    return "QEmbedLayerNormalization", feeds, {}, ("y", "k")


CASES: tuple[Case, ...] = (
    transposed(strides=[2, 2]),
    transposed(strides=[2, 1], output_padding=[1, 0], group=2),
    transposed(dilations=[2, 1]),
    *(crop(mode, *size) for mode in ("bilinear", "nearest") for size in ((3, 4), (1, 5), (7, 1))),
    repeated(9, 3),
    repeated(9, 1),
    repeated(2, 4),
    (
        "MatMulInteger16",
        {"a": RNG.integers(-999, 999, (3, 4, 5), np.int16), "b": RNG.integers(-999, 999, (5, 6), np.int16)},
        {},
        ("y",),
    ),
    ("UnfoldTensor", {"x": real(3, 9, 2)}, {"dim": 1, "size": 4, "step": 2}, ("y",)),
    ("ScaledSiLU", {"x": real(3, 9), "s": np.float32(2)}, {}, ("y",)),
    ("ScaledSiLU", {"x": real(3, 9)}, {"alpha": 0.5}, ("y",)),
    ("GatedAdd", {"a": real(3, 9), "b": real(3, 9), "g": real(3, 1)}, {}, ("y",)),
    gated("silu"),
    gated("sigmoid"),
    branches(real(12)),
    branches(real(24)),
    branches(real(3, 4), num_branches=3),
    branches(None, num_branches=3),
    (
        "LinearAttentionGate",
        {"a": real(2, 3, 4), "d": real(4), "s": real(4), "b": real(2, 3, 4)},
        {},
        ("y", "z"),
    ),
    embedded(True),
    embedded(False),
)


@pytest.mark.parametrize("case", CASES, ids=lambda c: c[0])
def test_formula(case: Case) -> None:
    op, feeds, attributes, outputs = case
    assert_agree(*both(op, DOMAIN, feeds, attributes, outputs))


@pytest.mark.parametrize("transposed", [0, 1])
def test_a_sparse_matrix_times_a_dense_one(transposed: int) -> None:
    a, b = real(4, 5) * (RNG.random((4, 5)) < 0.3), real(4, 6)
    attributes = {"transA": 1, "transB": transposed, "alpha": 0.5}
    right = b.T if transposed else b
    (ours,) = both_numpy("SparseToDenseMatMul", {"a": a, "b": right}, attributes)
    np.testing.assert_allclose(ours, a.T @ b * 0.5, rtol=1e-5)


def both_numpy(op: str, feeds: dict[str, Array], attributes: dict[str, Any]) -> list[Any]:
    """The results of a node whose first input is a sparse initialiser, which onnxruntime reads so as well."""
    import onnx
    from onnx import helper

    import sardonyx

    dense = feeds["a"]
    places = np.flatnonzero(dense)
    values = onnx.numpy_helper.from_array(dense.reshape(-1)[places].astype(np.float32), "a")
    sparse = helper.make_sparse_tensor(values, onnx.numpy_helper.from_array(places, "p"), list(dense.shape))
    node = helper.make_node(op, ["a", "b"], ["y"], domain=DOMAIN, **attributes)
    info = helper.make_tensor_value_info("b", 1, feeds["b"].shape)
    graph = helper.make_graph(
        [node], "g", [info], [onnx.ValueInfoProto(name="y")], sparse_initializer=[sparse]
    )
    imports = [helper.make_opsetid("", 17), helper.make_opsetid(DOMAIN, 1)]
    model = helper.make_model(graph, opset_imports=imports, ir_version=8).SerializeToString()
    return list(sardonyx.InferenceSession(model).run(None, {"b": np.ascontiguousarray(feeds["b"])}))
