"""Models of 8-bit convolutions that are transformed: the same integers as direct sums, whatever is asked."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import numpy_helper

import sardonyx
from sardonyx.targets.x86_64 import isa
from tests.runnable import examples, with_each_feature
from tests.unit.kernels.winograd.test_call import conv_plans

Array = np.ndarray[Any, Any]
HEADER = '<ir_version: 8, opset_import: ["": 17]> '
LEVELS = {level.name: set(level.features) for level in isa.TARGETS}
TARGETS = pytest.mark.parametrize(
    "target", ["+".join((t.name, *sorted({*t.features} - LEVELS[t.name]))) for t in with_each_feature()]
)
FORCED = pytest.mark.parametrize(("winograd", "text"), [("f2", "F(2x2)"), ("f4", "F(4x4)")])


def session(text: str, tensors: dict[str, Array], winograd: str, target: str = "", **more: str) -> Any:
    proto = onnx.parser.parse_model(HEADER + text)
    proto.graph.initializer.extend(
        numpy_helper.from_array(np.asarray(a), name) for name, a in tensors.items()
    )
    options = sardonyx.SessionOptions()
    for name, value in {"winograd": winograd, "target": target, **more}.items():
        options.add_session_config_entry(f"sardonyx.{name}", value)
    return sardonyx.InferenceSession(proto.SerializeToString(), options)


def direct(
    x: Array, w: Array, x_zero: int, w_zero: Array, pads: tuple[int, int, int, int], apart: tuple[int, int]
) -> Array:
    top, left, bottom, right = pads
    numbers = np.pad(x.astype(np.int64) - x_zero, [(0, 0), (0, 0), (top, bottom), (left, right)])
    down, across = apart
    views = np.lib.stride_tricks.sliding_window_view(numbers, (2 * down + 1, 2 * across + 1), (2, 3))
    views = views[..., ::down, ::across]
    return np.einsum("nchwrs,ocrs->nohw", views, w.astype(np.int64) - w_zero[:, None, None, None])


def drawn(rng: np.random.Generator, size: tuple[int, ...], dtype: Any) -> Array:
    bounds = np.iinfo(dtype)
    numbers = rng.integers(bounds.min, bounds.max, size, dtype, endpoint=True)
    extremes = rng.choice(np.array([bounds.min, bounds.max], dtype), size)
    return np.where(rng.random(size) < 0.3, extremes, numbers)


@TARGETS
@settings(max_examples=examples(4, 12), deadline=None, derandomize=True)
@given(st.data())
def test_integers_are_those_of_direct_sums(target: str, data: st.DataObject) -> None:
    winograd, text = data.draw(st.sampled_from([("f2", "F(2x2)"), ("f4", "F(4x4)")]))
    x_type, w_type = (data.draw(st.sampled_from([np.uint8, np.int8]), n) for n in "xw")
    channels, outputs, images = (data.draw(st.integers(1, most)) for most in (40, 40, 3))
    pads = data.draw(st.tuples(*[st.integers(0, 2)] * 4))
    apart = data.draw(st.tuples(*[st.integers(1, 3)] * 2), "apart")
    size = tuple(data.draw(st.integers(2 * step + 1, 20)) for step in apart)
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    bounds = np.iinfo(x_type)
    x_zero = data.draw(
        st.sampled_from([bounds.min, (bounds.min + bounds.max + 1) // 2, bounds.max, 7]), "zero"
    )
    w_zero = drawn(rng, (outputs,), w_type) if data.draw(st.booleans()) else np.zeros(outputs, w_type)
    w = drawn(rng, (outputs, channels, 3, 3), w_type)
    name = {np.uint8: "uint8", np.int8: "int8"}[x_type]
    tensors = {"w": w, "xz": np.array(x_zero, x_type), "wz": w_zero}
    made = session(
        f"net ({name}[N, {channels}, H, W] x) => (int32[N, {outputs}, A, B] y) "
        f"{{ y = ConvInteger<pads = {list(pads)}, dilations = {list(apart)}>(x, w, xz, wz) }}",
        tensors,
        winograd,
        target,
    )
    (plan,) = conv_plans(made)
    assert f"winograd {text}" in plan or "blocked in" not in plan, plan
    x = drawn(rng, (images, channels, *size), x_type)
    (y,) = made.run(None, {"x": x})
    assert np.array_equal(y, direct(x, w, x_zero, w_zero.astype(np.int64), pads, apart))


NET = """net (uint8[N, 20, H, W] x) => (uint8[N, 17, A, B] y) {
    a = QLinearConv<pads = [1, 1, 1, 1]>(x, xs, xz, w0, ws, wz, ys, yz, b)
    y = QLinearConv<pads = [0, 1, 2, 1]>(a, ys, yz, w1, vs, vz, ys, yz)
}"""
RNG = np.random.default_rng(5)
TENSORS = {
    "w0": RNG.integers(-128, 128, (33, 20, 3, 3)).astype(np.int8),
    "w1": RNG.integers(0, 256, (17, 33, 3, 3)).astype(np.uint8),
    "b": RNG.integers(-9999, 9999, 33).astype(np.int32),
    "ws": RNG.uniform(1e-4, 2e-3, 33).astype(np.float32),
    "wz": np.zeros(33, np.int8),
    "vs": np.float32(1e-3),
    "vz": np.uint8(131),
    "xs": np.float32(0.05),
    "xz": np.uint8(255),
    "ys": np.float32(0.1),
    "yz": np.uint8(7),
}
SIZES = ((1, 8, 8), (3, 5, 21), (2, 30, 2), (1, 1, 1), (0, 9, 9))


@TARGETS
@FORCED
@pytest.mark.parametrize("precision", ["fp32", "strict"])
def test_one_program_for_every_size(target: str, winograd: str, text: str, precision: str) -> None:
    made, plain = (session(NET, TENSORS, w, target, precision=precision) for w in (winograd, "off"))
    assert [f"winograd {text}" in plan for plan in conv_plans(made)] == [True, True]
    assert not any("winograd" in plan for plan in conv_plans(plain))
    rng = np.random.default_rng(0)
    for n, h, w in SIZES:
        x = drawn(rng, (n, 20, h, w), np.uint8)
        assert np.array_equal(made.run(None, {"x": x})[0], plain.run(None, {"x": x})[0]), (n, h, w)


@TARGETS
@FORCED
def test_operands_that_are_dequantised(target: str, winograd: str, text: str) -> None:
    net = """net (uint8[1, 24, 15, 14] x) => (uint8[1, 33, 15, 14] y) {
        a = DequantizeLinear(x, xs, xz)
        f = DequantizeLinear<axis = 0>(w, ws, wz)
        c = Conv<pads = [1, 1, 1, 1]>(a, f)
        r = Relu(c)
        y = QuantizeLinear(r, ys, yz)
    }"""
    tensors = {**TENSORS, "w": RNG.integers(-128, 128, (33, 24, 3, 3)).astype(np.int8)}
    made, plain = (session(net, tensors, w, target) for w in (winograd, "off"))
    assert [f"winograd {text}" in plan for plan in conv_plans(made)] == [True]
    x = drawn(np.random.default_rng(0), (1, 24, 15, 14), np.uint8)
    assert np.array_equal(made.run(None, {"x": x})[0], plain.run(None, {"x": x})[0])


@TARGETS
@pytest.mark.parametrize(
    "attributes",
    ["group = 2", "strides = [2, 2]", "strides = [1, 2]"],
)
def test_others_are_summed_directly(target: str, attributes: str) -> None:
    channels = 16 if "group" in attributes else 32
    w = RNG.integers(-128, 128, (32, channels, 3, 3)).astype(np.int8)
    net = f"net (uint8[1, 32, 12, 13] x) => (int32[1, 32, A, B] y) {{ y = ConvInteger<{attributes}>(x, w) }}"
    made = session(net, {"w": w}, "f4", target)
    assert [plan for plan in conv_plans(made) if "winograd" in plan] == []
    assert made.run(None, {"x": np.zeros((1, 32, 12, 13), np.uint8)})[0].any() == np.False_


@TARGETS
def test_sums_too_large_for_tiles_of_4_have_smaller_ones(target: str) -> None:
    w = np.full((16, 128, 3, 3), -128, np.int8)
    net = "net (uint8[1, 128, 9, 9] x) => (int32[1, 16, 7, 7] y) { y = ConvInteger(x, w) }"
    made = session(net, {"w": w}, "f4", target)
    assert ["winograd F(2x2)" in plan for plan in conv_plans(made)] == [True]
    x = np.full((1, 128, 9, 9), 255, np.uint8)
    assert (made.run(None, {"x": x})[0] == -128 * 255 * 9 * 128).all()
