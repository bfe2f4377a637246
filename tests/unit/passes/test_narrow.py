"""Integer contractions with constant weights become narrow ones with the same sums."""

from __future__ import annotations

import numpy as np
import pytest

from sardonyx.base import dtype as dt
from sardonyx.base.policy import Goal
from sardonyx.base.target import Target
from sardonyx.ir.graph import Graph
from sardonyx.ir.run import run
from sardonyx.ir.verify import verify
from sardonyx.passes.blocking import blocking
from sardonyx.passes.dequantised import dequantised
from sardonyx.passes.integer_products import integer_products
from sardonyx.passes.narrow import BYTES_ANYWHERE, is_narrow
from sardonyx.targets import reference
from sardonyx.targets.x86_64 import isa
from tests.runnable import need
from tests.unit.kernels.compiled import natives
from tests.unit.passes.graphs import parse

FUSED = isa.with_features(isa.V4, ["avx512vnni"])
TARGETS = pytest.mark.parametrize("target", [isa.V3, isa.V4, FUSED], ids=["v3", "v4", "vnni"])
BYTES = pytest.mark.parametrize("x_type", [np.uint8, np.int8])
WEIGHTS = pytest.mark.parametrize("w_type", [np.uint8, np.int8])
NAMES = {np.uint8: "uint8", np.int8: "int8"}


def drawn(rng: np.random.Generator, dtype: type, *shape: int) -> np.ndarray:
    bounds = np.iinfo(dtype)
    return rng.integers(bounds.min, bounds.max + 1, shape).astype(dtype)


def narrowed(graph: Graph, target: Target, *feeds: np.ndarray) -> list[str]:
    """The element types of the left operands of contractions after the pass, which keeps all sums."""
    changed = integer_products(dequantised(graph, Goal(target)), Goal(target))
    verify(changed)
    assert not any(v.prim == "kept" for v in changed.order())
    for before, after in zip(run(graph, feeds), run(changed, feeds), strict=True):
        assert np.array_equal(before, after)
    found = [v for v in changed.order() if v.kind == "contract"]
    return [v.args[0].dtype.name if is_narrow(v) else "" for v in found]


@TARGETS
@BYTES
@WEIGHTS
@pytest.mark.parametrize("inner", [1, 7, 64])
def test_products(target: Target, x_type: type, w_type: type, inner: int, rng: np.random.Generator) -> None:
    w = drawn(rng, w_type, inner, 5)
    for zeros in (drawn(rng, w_type), drawn(rng, w_type, 5), np.zeros((), w_type)):
        graph = parse(
            f"g ({NAMES[x_type]}[N,M,{inner}] x, {NAMES[x_type]} z) => (int32[N,M,5] y) "
            "{ y = MatMulInteger(x, w, z, w_zero) }",
            w=w,
            w_zero=zeros,
        )
        left = narrowed(graph, target, drawn(rng, x_type, 2, 3, inner), drawn(rng, x_type))
        is_alone = target is isa.V3 and inner == 1
        assert left == (["u8"] if target is FUSED or is_alone else ["i16"])


@BYTES
@pytest.mark.parametrize("large", [0, 3])
def test_small_weights_are_multiplied_as_bytes_and_large_ones_once_more(
    x_type: type, large: int, rng: np.random.Generator
) -> None:
    w = rng.integers(-20, 21, (64, 7)).astype(np.int8)
    w[[1, 30, 31][:large], 2] = 127
    graph = parse(
        f"g ({NAMES[x_type]}[N,M,64] x, {NAMES[x_type]} z) => (int32[N,M,7] y) "
        "{ y = MatMulInteger(x, w, z) }",
        w=w,
    )
    feeds = drawn(rng, x_type, 2, 3, 64), drawn(rng, x_type)
    assert narrowed(graph, isa.V3, *feeds) == (["u8", "i16"] if large else ["u8"])
    assert narrowed(graph, isa.V4, *feeds) == ["i16"]


@BYTES
@WEIGHTS
def test_any_weights_of_many_columns_are_multiplied_as_bytes(
    x_type: type, w_type: type, rng: np.random.Generator
) -> None:
    graph = parse(
        f"g ({NAMES[x_type]}[N,M,70] x, {NAMES[x_type]} z) => (int32[N,M,130] y) "
        "{ y = MatMulInteger(x, w, z, w_zero) }",
        w=drawn(rng, w_type, 70, 130),
        w_zero=drawn(rng, w_type, 130),
    )
    feeds = drawn(rng, x_type, 2, 3, 70), drawn(rng, x_type)
    assert narrowed(graph, isa.V3, *feeds) == ["u8"]
    changed = integer_products(dequantised(graph, Goal(isa.V3)), Goal(isa.V3))
    (expected,) = run(graph, feeds)
    for (got,) in natives(changed, need(isa.V3), feeds, [1, 2]):
        assert np.array_equal(got, expected)


@pytest.mark.parametrize(
    ("channels", "side", "stride", "most", "operand"),
    [
        (32, 1, 1, 20, "u8"),
        (20, 3, 2, 20, "u8"),
        (32, 3, 1, 20, "i16"),
        (32, 1, 1, 127, "i16"),
        (8, 3, 2, 20, "i16"),
    ],
    ids=["one tap", "steps", "transformed", "large weights", "few channels"],
)
def test_convolutions_in_sums_of_16_bits(
    channels: int, side: int, stride: int, most: int, operand: str, rng: np.random.Generator
) -> None:
    w = rng.integers(-most, most + 1, (24, channels, side, side)).astype(np.int8)
    graph = parse(
        f"g (uint8[1,{channels},9,9] x, uint8 z) => (int32[1,24,H,W] y) "
        f"{{ y = ConvInteger<pads = [1, 1, 1, 1], strides = [{stride}, {stride}]>(x, w, z) }}",
        w=w,
    )
    feeds = drawn(rng, np.uint8, 1, channels, 9, 9), np.uint8(7)
    assert narrowed(graph, isa.V3, *feeds) == [operand]


@BYTES
@pytest.mark.parametrize(("stride", "stored"), [(2, dt.U8), (1, dt.I32)])
def test_single_channels_are_read_as_bytes_where_few_windows_read_each(
    x_type: type, stride: int, stored: dt.DType, rng: np.random.Generator
) -> None:
    w = drawn(rng, np.int8, 20, 1, 3, 3)
    graph = parse(
        f"g ({NAMES[x_type]}[2,20,9,12] x, {NAMES[x_type]} z) => (int32[2,20,H,W] y) {{ y = ConvInteger"
        f"<group = 20, pads = [1, 1, 1, 1], strides = [{stride}, {stride}]>(x, w, z) }}",
        w=w,
    )
    feeds = [drawn(rng, x_type, 2, 20, 9, 12), drawn(rng, x_type)]
    assert narrowed(graph, isa.V3, *feeds) == [""]
    changed = integer_products(graph, Goal(isa.V3))
    (conv,) = (v for v in changed.order() if v.prim == "conv")
    assert conv.args[0].args[0].dtype is stored
    (expected,) = run(graph, feeds)
    for (got,) in natives(blocking(changed, Goal(isa.V3)), need(isa.V3), feeds, [1, 2]):
        assert np.array_equal(got, expected)


@pytest.mark.parametrize("count", [1, 5, 8, 10])
def test_numbers_of_rows_that_are_multiplied_once_more_are_few(count: int, rng: np.random.Generator) -> None:
    w = rng.integers(-20, 21, (128, 7)).astype(np.int8)
    w[np.arange(count) * 8, 2] = 127
    w[np.arange(count) * 8 + 1, 2] = 2
    graph = parse("g (uint8[N,128] x) => (int32[N,7] y) { y = MatMulInteger(x, w) }", w=w)
    assert narrowed(graph, isa.V3, drawn(rng, np.uint8, 3, 128)) == ["u8", "i16"]
    made = integer_products(dequantised(graph, Goal(isa.V3)), Goal(isa.V3))
    (picked,) = (v for v in made.order() if v.prim == "gather")
    assert picked.shape[-1] == -(-count // 8) * 8


@WEIGHTS
def test_bytes_are_never_widened_for_a_tile_that_takes_them(w_type: type, rng: np.random.Generator) -> None:
    w, zero = drawn(rng, w_type, 64, 5), w_type(3)
    graph = parse(
        "g (uint8[N,64] x, uint8 z) => (int32[N,5] y) { y = MatMulInteger(x, w, z, w_zero) }",
        w=w,
        w_zero=zero,
    )
    assert narrowed(graph, FUSED, drawn(rng, np.uint8, 3, 64), np.uint8(7)) == ["u8"]
    made = integer_products(dequantised(graph, Goal(FUSED)), Goal(FUSED))
    for value in (*graph.order(), *made.order()):
        assert value.data is None or value.data.size < w.size or value.data.itemsize == 1


@TARGETS
@BYTES
@WEIGHTS
@pytest.mark.parametrize("per_channel", [False, True])
def test_convolutions(
    target: Target, x_type: type, w_type: type, per_channel: bool, rng: np.random.Generator
) -> None:
    zeros = drawn(rng, w_type, *([8] if per_channel else []))
    for group, width in ((1, 3), (1, 20), (2, 4), (2, 3), (4, 1)):
        w = drawn(rng, w_type, 8, width, 3, 2)
        graph = parse(
            f"g ({NAMES[x_type]}[N,{group * width},H,W] x, {NAMES[x_type]} z) => (int32[N,8,P,Q] y) "
            f"{{ y = ConvInteger <group={group}, pads=[1,0,2,1], strides=[2,1]> (x, w, z, w_zero) }}",
            w=w,
            w_zero=zeros,
        )
        left = narrowed(graph, target, drawn(rng, x_type, 2, group * width, 7, 6), drawn(rng, x_type))
        if group > 1 and width % 4:
            assert left == [""]
        else:
            centred = w - zeros.reshape(-1, 1, 1, 1).astype(int)
            fits = group == 1 or (centred.min() >= -128 and centred.max() <= 127)
            assert left == ["u8" if target is FUSED and fits else "i16"]


def test_zero_points_of_rows_stay_outside_the_sum(rng: np.random.Generator) -> None:
    graph = parse(
        "g (uint8[4,9] x, uint8[4] z) => (int32[4,5] y) { y = MatMulInteger(x, w, z) }",
        w=drawn(rng, np.int8, 9, 5),
    )
    assert narrowed(graph, FUSED, drawn(rng, np.uint8, 4, 9), drawn(rng, np.uint8, 4)) == ["u8"]


def test_weights_that_are_fed_and_targets_without_tiles_are_left_to_floats(rng: np.random.Generator) -> None:
    fed = parse("g (uint8[4,9] x, int8[9,5] w) => (int32[4,5] y) { y = MatMulInteger(x, w) }")
    assert narrowed(fed, FUSED, drawn(rng, np.uint8, 4, 9), drawn(rng, np.int8, 9, 5)) == [""]
    constant = parse(
        "g (uint8[4,9] x) => (int32[4,5] y) { y = MatMulInteger(x, w) }", w=drawn(rng, np.int8, 9, 5)
    )
    for target in reference.FAMILY.targets:
        assert narrowed(constant, target, drawn(rng, np.uint8, 4, 9)) == [""]


def single(w: np.ndarray, attributes: str = "") -> Graph:
    channels, columns = w.shape[0], w.shape[3]
    attributes = f"group={channels}, kernel_shape=[{w.shape[2]}, {columns}]{attributes}"
    node = f"y = ConvInteger<{attributes}>(x, w, z)"
    sizes = f"uint8[N,{channels},9,12] x) => (int32[N,{channels},H,W] y"
    return parse(f"g ({sizes}) {{ {node} }}", w=w, z=np.array(9, np.uint8))


def test_windows_of_single_channels_stay_bytes_where_a_step_takes_pixels(rng: np.random.Generator) -> None:
    taps = isa.with_features(isa.V4, ["avx512vnni", BYTES_ANYWHERE])
    x = drawn(rng, np.uint8, 2, 20, 9, 12)

    def left(target: Target, attributes: str = "", columns: int = 3, w_type: type = np.int8) -> list[str]:
        return narrowed(single(drawn(rng, w_type, 20, 1, 3, columns), attributes), target, x)

    assert left(taps, ", pads=[1, 1, 1, 1]") == ["u8"]
    assert left(taps, ", strides=[2, 2]", 8) == ["u8"]
    assert left(FUSED) == [""]
    assert left(taps, columns=9) == [""]
    assert left(taps, ", strides=[1, 3]") == [""]
    assert left(taps, ", dilations=[1, 2]") == [""]
    assert left(taps, w_type=np.uint8) == [""]
