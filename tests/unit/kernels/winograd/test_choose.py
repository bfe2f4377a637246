"""Which convolutions are computed by transforms: only those that may be, where it pays, as the user says."""

from __future__ import annotations

import numpy as np
import pytest

from sardonyx.base import dim as dims
from sardonyx.base import dtype as dt
from sardonyx.base.dataclass import replace
from sardonyx.base.policy import Goal, Policy
from sardonyx.ir.value import Value, const, make, placeholder
from sardonyx.kernels.convolution.cost import Sizes
from sardonyx.kernels.winograd.choose import DIRECT, chosen, cycles, direct_cycles, fastest, is_exact
from sardonyx.kernels.winograd.scheme import (
    FIVES,
    ROWS,
    SQUARES,
    STEPPED,
    WHOLE,
    WHOLE_SQUARES,
    Scheme,
    on_registers,
)
from sardonyx.targets.x86_64 import isa

V4, V3 = (replace(target, l2_bytes=1280 << 10) for target in isa.TARGETS)
IN_HALVES, WHOLE_UNITS = (replace(V4, unit_lanes=lanes) for lanes in (8, 16))
WEIGHTS = {dt.F32: np.float32, dt.I16: np.int16, dt.U8: np.int8}
SQUARE = tuple(SQUARES.values())
H, W, N = (dims.symbol(name, 1) for name in "hwn")


def conv(
    channels: int = 64,
    outputs: int = 64,
    size: tuple[dims.Dim, dims.Dim] = (56, 56),
    kernel: tuple[int, int] = (3, 3),
    stride: int = 1,
    dilation: int | tuple[int, int] = 1,
    group: int = 1,
    batch: dims.Dim = 1,
    weight: float = 0.5,
    samples: dt.DType = dt.F32,
    runs: tuple[tuple[int, int], ...] = (),
) -> Value:
    w = const(np.full((outputs, channels // group, *kernel), weight, WEIGHTS[samples]))
    blocks = -(-channels // 16)
    x = placeholder("x", samples, (batch, blocks, size[0] + 2, size[1] + 2, 16))
    attrs = {
        "strides": (stride,) * 2,
        "dilations": dilation if isinstance(dilation, tuple) else (dilation,) * 2,
        "group": group,
        "channels": outputs,
        "block": 16,
    }
    if runs:
        attrs["runs"] = runs
    sums = dt.F32 if samples is dt.F32 else dt.I32
    return make("conv_blocked", (x, w), attrs, sums, (batch, -(-outputs // 16), *size, 16))


def goal(winograd: str = "auto", precision: str = "fp32", target: isa.Target = V4) -> Goal:
    return Goal(target, Policy(precision, winograd))


@pytest.mark.parametrize(
    "value",
    [
        conv(channels=0),
        conv(kernel=(1, 1)),
        conv(kernel=(4, 4)),
        conv(kernel=(7, 7)),
        conv(stride=3),
        conv(stride=2, dilation=2),
        conv(kernel=(5, 5), stride=2),
        conv(stride=2, samples=dt.I16, weight=3),
        conv(kernel=(1, 4)),
        conv(kernel=(2, 3)),
        conv(48, group=2),
        conv(outputs=96, group=2),
        conv(group=2, runs=((0, 8), (16, 56))),
        conv(weight=np.inf),
        conv(weight=np.nan),
        conv(weight=3.0),
    ],
)
def test_others_are_summed_directly(value: Value) -> None:
    assert chosen(value, goal("f4")) == DIRECT


@pytest.mark.parametrize("output", [0, 63])
def test_one_output_of_weights_that_are_not_whole_may_round(output: int) -> None:
    value = conv(weight=3.0)
    w = np.array(value.args[1].data)
    w[output, 0, 0, 0] = 0.5
    assert chosen(value.over((value.args[0], const(w))), goal("f4")) != DIRECT


def test_plain_images_and_fed_weights_are_summed_directly() -> None:
    value = conv(16)
    x, attrs = value.args[0], dict(value.attrs)
    halves = const(np.full((64, 3, 3, 3), 0.5, np.float32))
    image, w = placeholder("p", dt.F32, (1, 3, 58, 58)), placeholder("w", dt.F32, (64, 16, 3, 3))
    plain = make("conv_blocked", (image, halves), attrs, dt.F32, value.shape)
    fed = make("conv_blocked", (x, w, w.reshape((64 * 16 * 9,))), attrs, dt.F32, value.shape)
    assert [chosen(v, goal("f4")) for v in (plain, fed)] == [DIRECT, DIRECT]


def test_the_user_overrules_the_model() -> None:
    small = conv(size=(1, 1))
    assert [chosen(small, goal(w)) for w in ("auto", "off", "f2", "f4")] == [DIRECT, DIRECT, *SQUARE]
    assert chosen(conv(), goal("off")) == DIRECT


@pytest.mark.parametrize("winograd", ["auto", "f2", "f4"])
def test_strict_is_never_transformed(winograd: str) -> None:
    assert chosen(conv(), goal(winograd, "strict")) == DIRECT
    assert chosen(conv(), goal(winograd, "bf16")) != DIRECT


@pytest.mark.parametrize(
    ("target", "few_pixels", "deep"),
    [
        (V4, SQUARES[2], DIRECT),
        (V3, SQUARES[4], SQUARES[2]),
        (IN_HALVES, SQUARES[4], SQUARES[2]),
        (WHOLE_UNITS, SQUARES[4], SQUARES[2]),
    ],
    ids=["V4", "V3", "V4 in halves", "V4 in whole units"],
)
def test_where_it_pays(target: isa.Target, few_pixels: Scheme, deep: Scheme | None) -> None:
    """As measured: large images by tiles of 4; few pixels of many channels as the weights can be read."""
    goal_ = goal(target=target)
    for channels, size in ((16, 56), (64, 112), (64, 56), (128, 28), (256, 28)):
        assert fastest(Sizes(1, size, size, channels, channels), SQUARE, goal_) == SQUARES[4]
    assert fastest(Sizes(1, 14, 14, 256, 256), SQUARE, goal_) == few_pixels
    assert fastest(Sizes(1, 7, 7, 512, 512), SQUARE, goal_) == deep
    assert fastest(Sizes(1, 1, 1, 64, 64), SQUARE, goal_) == DIRECT


@pytest.mark.parametrize("channels", [160, 192, 256, 512])
def test_units_of_whole_vectors_transform_few_pixels_too(channels: int) -> None:
    """As measured: 7x7 pixels by tiles of 2, where direct sums take 1.4 to 1.6 times as long."""
    sizes = Sizes(1, 7, 7, channels, channels)
    goal_ = goal(target=replace(WHOLE_UNITS, l2_bytes=1 << 20))
    assert fastest(sizes, SQUARE, goal_) == SQUARES[2]
    assert fastest(sizes, SQUARE, goal()) == DIRECT


def test_matrix_registers_sum_directly_where_that_is_measured_to_be_faster() -> None:
    """Not where transforms are: on vectors they do a quarter of the products, a third as fast."""
    (tile,) = (tile for tile in isa.V4.matrices if tile.name == "bf16x6")
    target = replace(isa.with_features(isa.V4, tile.features), l2_bytes=2 << 20)
    for streams in (True, False):
        goal_ = replace(goal(target=target), streams=streams)
        for channels, outputs, size in ((32, 32, 56), (128, 32, 28), (64, 64, 56)):
            found = chosen(conv(channels, outputs, (size, size)), goal_)
            assert found is not DIRECT
            assert replace(found, tile=None) == SQUARES[4]
        assert chosen(conv(512, 512, (7, 7)), goal_) == DIRECT


def test_matrix_registers_multiply_points_in_digits() -> None:
    tiles = {tile.name: tile for tile in isa.V4.matrices}
    features = {name for tile in tiles.values() for name in tile.features}
    goal_ = goal(target=replace(isa.with_features(isa.V4, features), l2_bytes=2 << 20))
    large = replace(SQUARES[4], tile=tiles["s8x6"])
    assert large in on_registers(tiles["s8x6"])
    for channels, size in ((64, 56), (128, 28), (256, 56)):
        assert chosen(conv(channels, channels, (size, size)), goal_) == large
    for channels, size in ((96, 13), (128, 14), (192, 13), (256, 7), (512, 7)):
        assert chosen(conv(channels, channels, (size, size)), goal_) == DIRECT
    assert chosen(conv(32, 128, (27, 27)), goal_) == SQUARES[4]
    assert chosen(conv(), replace(goal_, policy=Policy("fp32", "f4"))) == large
    assert chosen(conv(weight=3, samples=dt.I16), goal_) == WHOLE_SQUARES[dt.I16][4]
    for precision in ("strict", "bf16"):
        found = chosen(conv(256, 256), replace(goal_, policy=Policy(precision)))
        assert not found or not found.tile


def test_groups_and_windows_of_5x5_are_transformed_where_vectors_multiply() -> None:
    """As measured: two groups of 48 to 128 channels at 27x27 under 5x5 in half the time, with AVX2 too."""
    features = {name for tile in isa.V4.matrices for name in tile.features}
    registers = replace(isa.with_features(isa.V4, features), l2_bytes=2 << 20)
    for group in (1, 2):
        of_five = conv(48 * group, 128 * group, (27, 27), (5, 5), group=group)
        of_three = conv(192 * group, 192 * group, (13, 13), group=group)
        for target in (V4, V3, WHOLE_UNITS):
            assert chosen(of_five, goal(target=target)) == FIVES[0]
            assert chosen(of_three, goal(target=target)) in SQUARE
        assert chosen(of_five, goal(target=registers)) == DIRECT
    assert chosen(of_three, goal(target=registers)) == DIRECT
    assert chosen(conv(group=2, samples=dt.I16, weight=3), goal()) == DIRECT


def test_windows_two_pixels_apart() -> None:
    """As measured: 0.65 to 0.75 of the time where units are whole, by tiles of 2 where pixels are few."""
    goal_ = goal(target=replace(WHOLE_UNITS, l2_bytes=1 << 20))
    for channels, outputs, size in ((48, 96, 52), (64, 128, 28), (128, 128, 28), (96, 192, 26)):
        assert chosen(conv(channels, outputs, (size, size), stride=2), goal_) == STEPPED[1]
    for channels, outputs in ((128, 256), (256, 256)):
        assert chosen(conv(channels, outputs, (14, 14), stride=2), goal_) == STEPPED[0]
    assert chosen(conv(512, 512, (7, 7), stride=2), goal_) == DIRECT
    features = {name for tile in isa.V4.matrices for name in tile.features}
    registers = replace(isa.with_features(isa.V4, features), l2_bytes=2 << 20)
    assert chosen(conv(128, 128, (28, 28), stride=2), goal(target=registers)) == DIRECT


def test_few_tiles_leave_less_to_read_where_weights_come_from_memory() -> None:
    """As measured where units are whole: 0.93 of the time by tiles of 2, which have half the weights."""
    whole = goal(target=replace(WHOLE_UNITS, l2_bytes=1 << 20))
    assert fastest(Sizes(1, 12, 12, 256, 384), SQUARE, whole) == SQUARES[2]
    assert fastest(Sizes(1, 14, 14, 256, 256), SQUARE, whole) == SQUARES[4]


def test_a_small_gain_is_one_where_weights_stay_in_l2() -> None:
    """As measured where units are whole: 0.67 to 0.85 of the time, but not of windows of one line."""
    whole = goal(target=replace(WHOLE_UNITS, l2_bytes=1 << 20))
    small = (
        (conv(24, 48, (104, 104), stride=2), STEPPED[1]),
        (conv(32, 64, (56, 56), stride=2), STEPPED[1]),
        (conv(64, 64, (14, 14), stride=2), STEPPED[0]),
        (conv(48, 16, (7, 7), (5, 5)), FIVES[0]),
    )
    for value, scheme in small:
        assert chosen(value, whole) == scheme
        assert chosen(value, goal(target=replace(V4, l2_bytes=1 << 20))) == DIRECT
    assert chosen(conv(192, 384, (13, 13), stride=2), whole) == DIRECT
    assert chosen(conv(16, 48, (1, 784), (1, 7)), whole) == DIRECT


def test_a_group_is_a_convolution_of_its_own() -> None:
    """Few outputs of a group do not pay for the transforms of its input, many of all groups do not help."""
    assert chosen(conv(512, 512, (28, 28), group=16), goal()) == chosen(conv(32, 32, (28, 28)), goal())


def test_weights_beyond_the_scales_of_digits_are_left_to_vectors() -> None:
    tiles = {tile.name: tile for tile in isa.V4.matrices}
    goal_ = goal(target=isa.with_features(isa.V4, tiles["s8x6"].features))
    found = chosen(conv(128, 128, weight=1e-30), goal_)
    assert found is not DIRECT
    assert found.tile is None


def test_a_batch_shares_the_reading_of_weights() -> None:
    assert fastest(Sizes(16, 7, 7, 512, 512), SQUARE, goal()) != DIRECT


def test_free_sizes_are_those_of_a_common_image() -> None:
    assert chosen(conv(size=(H, W), batch=N), goal()) == SQUARES[4]
    deep = conv(512, 512, (dims.floordiv(H, 32), dims.floordiv(W, 32)), batch=N)
    assert chosen(deep, goal()) == fastest(Sizes(1, 7, 7, 512, 512), SQUARE, goal())


def test_cycles_grow_with_the_image() -> None:
    for scheme in (DIRECT, *SQUARE, *ROWS.values()):
        sizes = [Sizes(1, size, size, 64, 64) for size in (8, 16, 32, 64)]
        counts = [
            cycles(s, scheme, goal()) if scheme else direct_cycles(s, SQUARES[4], goal()) for s in sizes
        ]
        assert counts == sorted(counts)
        assert counts[-1] > 32 * counts[0]


def test_windows_of_one_line_or_pixel_are_transformed_along_the_other() -> None:
    for taps, scheme in ROWS.items():
        assert chosen(conv(kernel=(1, taps), dilation=(3, 1)), goal()) == scheme
        assert chosen(conv(kernel=(taps, 1), dilation=(1, 3)), goal()) == scheme
        assert chosen(conv(kernel=(1, taps), size=(1, 1)), goal()) == DIRECT
        assert chosen(conv(kernel=(1, taps), size=(1, 1)), goal("f2")) == scheme
    assert chosen(conv(kernel=(3, 1), size=(64, 1)), goal()) == ROWS[3]
    assert chosen(conv(kernel=(3, 1), size=(1, 64)), goal()) == DIRECT


def test_lines_and_pixels_may_be_apart() -> None:
    for dilation in ((2, 1), (1, 2), (2, 2), (7, 7)):
        assert chosen(conv(dilation=dilation), goal()) == SQUARES[4]
        assert chosen(conv(dilation=dilation, weight=3, samples=dt.I16), goal()) == WHOLE_SQUARES[dt.I16][4]
    assert chosen(conv(kernel=(1, 5), dilation=(1, 2)), goal()) == ROWS[5]
    assert chosen(conv(kernel=(5, 1), dilation=(2, 1)), goal()) == ROWS[5]


def test_tiles_that_reach_far_beyond_the_image_count() -> None:
    near, far = (Sizes(1, 14, 14, 64, 64, (step, step)) for step in (1, 8))
    assert cycles(far, SQUARES[4], goal()) > 3 * cycles(near, SQUARES[4], goal())
    assert direct_cycles(far, SQUARES[4], goal()) == direct_cycles(near, SQUARES[4], goal())
    assert fastest(far, SQUARE, goal()) != SQUARES[4]


def test_integers_are_transformed_in_every_precision() -> None:
    for samples, squares in WHOLE_SQUARES.items():
        value = conv(weight=3, samples=samples)
        for precision in ("fp32", "strict", "bf16"):
            assert [chosen(value, goal(w, precision)) for w in ("off", "f2", "f4")] == [
                DIRECT,
                *squares.values(),
            ]


@pytest.mark.parametrize("target", [V4, V3], ids=["V4", "V3"])
def test_pairs_of_integers_pay_as_floats_do(target: isa.Target) -> None:
    squares = WHOLE_SQUARES[dt.I16]
    for channels, size in ((16, 112), (64, 56), (128, 28), (512, 14)):
        assert (
            chosen(conv(channels, channels, (size, size), weight=3, samples=dt.I16), goal(target=target))
            == (squares[4])
        )
    assert chosen(conv(512, 512, (7, 7), weight=3, samples=dt.I16), goal(target=V3)) == squares[2]
    assert chosen(conv(size=(1, 1), weight=3, samples=dt.I16), goal(target=target)) == DIRECT


@pytest.mark.parametrize("target", isa.TARGETS, ids=lambda t: t.name)
def test_bytes_that_one_instruction_multiplies_are_summed_directly(target: isa.Target) -> None:
    feature = "avx512vnni" if target is isa.V4 else "avxvnni"
    fused = goal(target=isa.with_features(target, [feature]))
    for channels, size in ((16, 112), (64, 56), (256, 28), (512, 14)):
        assert chosen(conv(channels, channels, (size, size), weight=3, samples=dt.U8), fused) == DIRECT


def test_units_that_add_beside_those_that_multiply_transform_bytes() -> None:
    """As measured: direct sums take 1.1 to 1.4 times as long from 64 to 256 channels."""
    whole = isa.with_features(replace(WHOLE_UNITS, l2_bytes=1 << 20), ["avx512vnni"])
    matrices = isa.with_features(whole, ["amx-tile", "amx-int8"])
    square = WHOLE_SQUARES[dt.U8][4]
    for channels, size in ((64, 56), (96, 28), (128, 28), (256, 14)):
        value = conv(channels, channels, (size, size), weight=3, samples=dt.U8)
        assert [chosen(value, goal(target=t)) for t in (whole, matrices)] == [square, DIRECT]
        assert chosen(value, goal("f4", target=matrices)) == square
    for channels, size in ((16, 112), (32, 56), (512, 7)):
        value = conv(channels, channels, (size, size), weight=3, samples=dt.U8)
        assert chosen(value, goal(target=whole)) == DIRECT


@pytest.mark.parametrize(
    "value",
    [
        conv(channels=0, weight=3, samples=dt.I16),
        conv(kernel=(1, 3), weight=3, samples=dt.I16),
        conv(kernel=(5, 5), weight=3, samples=dt.I16),
        conv(stride=2, weight=3, samples=dt.I16),
        conv(group=2, weight=3, samples=dt.I16),
    ],
)
def test_other_windows_of_integers_are_summed_directly(value: Value) -> None:
    assert chosen(value, goal("f4")) == DIRECT


@pytest.mark.parametrize("scheme", WHOLE, ids=lambda s: s.name)
def test_integers_are_exact_up_to_their_bounds(scheme: Scheme) -> None:
    """|sum| * the power of two in the divisor below 2^31, transformed weights below 2^15."""
    most_sum = ((1 << 31) - 1) // (255 * {2: 4, 4: 64}[scheme.outputs[0]])
    w = np.zeros((2, -(-most_sum // (9 * 127)), 3, 3), np.int16)
    terms = w[1].reshape(-1)
    whole, rest = divmod(most_sum, 127)
    terms[:whole], terms[whole] = -127, rest
    assert is_exact(scheme, w)
    terms[whole] += 1
    assert not is_exact(scheme, w)
    largest = ((1 << 15) - 1) // {2: 9, 4: 49}[scheme.outputs[0]]
    for sign in (1, -1):
        assert is_exact(scheme, np.full((1, 1, 3, 3), sign * largest, np.int16))
        assert not is_exact(scheme, np.full((1, 1, 3, 3), sign * (largest + 1), np.int16))


def test_sums_too_large_for_tiles_of_4_have_smaller_ones() -> None:
    large = conv(128, 64, weight=127, samples=dt.I16)
    assert chosen(large, goal("f4")) == WHOLE_SQUARES[dt.I16][2]
    assert chosen(large, goal()) == WHOLE_SQUARES[dt.I16][2]
