"""Blocked layout: what runs blocked, what the graph looks like, and that numbers stay."""

from __future__ import annotations

import numpy as np
import pytest

from sardonyx.base import dtype as dt
from sardonyx.base.assumed import assumed
from sardonyx.base.dataclass import replace
from sardonyx.base.policy import Goal, Policy
from sardonyx.ir.graph import Graph
from sardonyx.ir.run import run
from sardonyx.ir.text import text
from sardonyx.passes.blocking import blocking
from sardonyx.passes.transposed import transposed
from sardonyx.targets.x86_64 import isa
from tests.conftest import Golden
from tests.tolerance import assert_close
from tests.unit.passes.graphs import GOAL, check, parse, prims


def normal(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return rng.standard_normal(shape).astype(np.float32)


def test_residual_block(rng: np.random.Generator, golden: Golden) -> None:
    graph = parse(
        "g (float[N,3,H,W] x) => (float[N,32,P,Q] y) {"
        " a = Conv <pads = [1,1,1,1], strides = [2,2]> (x, w1, b1) r = Relu(a)"
        " c = Conv <pads = [1,1,1,1]> (r, w2, b2) s = Add(r, c) y = Relu(s) }",
        w1=normal(rng, 32, 3, 3, 3),
        b1=normal(rng, 32),
        w2=normal(rng, 32, 32, 3, 3),
        b2=normal(rng, 32),
    )
    changed = check(blocking, graph, normal(rng, 2, 3, 9, 11), length=288)
    assert prims(changed).count("conv_blocked") == 2
    assert text(changed) == golden


@pytest.mark.parametrize(
    ("group", "channels", "outputs"), [(24, 24, 24), (4, 24, 16), (2, 32, 64), (3, 12, 6)]
)
def test_group_convolutions(rng: np.random.Generator, group: int, channels: int, outputs: int) -> None:
    graph = parse(
        f"g (float[N,{channels},H,W] x) => (float[N,{outputs},P,Q] y)"
        f" {{ r = Relu(x) y = Conv <group = {group}, pads = [1,0,1,0], dilations = [1,2]> (r, w, b) }}",
        w=normal(rng, outputs, channels // group, 3, 2),
        b=normal(rng, outputs),
    )
    check(blocking, graph, normal(rng, 2, channels, 7, 8), length=9 * channels)


@pytest.mark.parametrize(
    ("split", "repeated", "size"),
    [
        ((2, 20, 4, 1, 6, 1), (2, 20, 4, 3, 6, 2), (2, 20, 12, 12)),
        ((2, 20, 4, 1, 6, 1), (2, 20, 4, 3, 6, 2), (2, 20, 18, 8)),
        ((2, 20, 4, 1, 6, 1), (2, 20, 4, 3, 6, 2), (2, 60, 4, 12)),
        ((1, 40, 4, 1, 6, 1), (1, 40, 4, 3, 6, 2), (1, 40, 12, 12)),
        ((1, 40, 4, 1, 6, 1), (3, 40, 4, 3, 6, 2), (3, 40, 12, 12)),
    ],
)
def test_what_is_split_and_repeated_need_not_be_upscaled(
    rng: np.random.Generator, split: tuple[int, ...], repeated: tuple[int, ...], size: tuple[int, ...]
) -> None:
    graph = parse(
        "g (float[2,16,4,6] x) => (float[A,B,C,D] y)"
        " { f = Conv (x, w) s = Reshape(f, split) e = Expand(s, repeated) y = Reshape(e, size) }",
        w=normal(rng, 20, 16, 1, 1),
        split=np.array(split),
        repeated=np.array(repeated),
        size=np.array(size),
    )
    check(blocking, graph, normal(rng, 2, 16, 4, 6), length=16)


@pytest.mark.parametrize("channels", [1, 12, 16, 24])
@pytest.mark.parametrize("product", ["Mul(f, a)", "Mul(a, f)"])
def test_one_channel_that_is_convolved_times_many(
    rng: np.random.Generator, channels: int, product: str
) -> None:
    graph = parse(
        f"g (float[N,20,H,W] x) => (float[N,{channels},H,W] y)"
        " { f = Conv (x, w) a = Conv <pads = [1,1,1,1]> (f, one) y = "
        f"{product} }}",
        w=normal(rng, channels, 20, 1, 1),
        one=normal(rng, 1, channels, 3, 3),
    )
    changed = check(blocking, graph, normal(rng, 2, 20, 5, 6), length=9 * 20 * channels)
    assert prims(changed).count("conv_blocked") == (0 if channels == 1 else 2)


@pytest.mark.parametrize("channels", [1, 5, 16, 24])
def test_transposed_convolution(rng: np.random.Generator, channels: int) -> None:
    graph = parse(
        f"g (float[N,20,H,W] x) => (float[N,{channels},P,Q] y)"
        " { y = ConvTranspose <strides = [2,3], pads = [1,0,0,2], output_padding = [1,1]> (x, w, b) }",
        w=normal(rng, 20, channels, 3, 4),
        b=normal(rng, channels),
    )
    check(lambda g, goal: blocking(transposed(g, goal), goal), graph, normal(rng, 2, 20, 4, 5), length=240)


def test_one_dimensional_parts_stay_blocked(rng: np.random.Generator) -> None:
    graph = parse(
        "g (float[N,16,L] x) => (float[N,16,M] y)"
        " { a = Conv <pads = [2,2]> (x, w) s = Sigmoid(a) b = Conv <pads = [2,2]> (s, w) y = Add(b, s) }",
        w=normal(rng, 16, 16, 5),
    )
    changed = check(blocking, graph, normal(rng, 2, 16, 19), length=80)
    assert prims(changed).count("conv_blocked") == 2


def test_pools_concats_and_upscaling_stay_blocked(rng: np.random.Generator) -> None:
    graph = parse(
        "g (float[N,16,8,8] x) => (float[N,48,8,8] y) {"
        " a = Conv <pads = [1,1,1,1]> (x, w) p = MaxPool <kernel_shape = [2,2], strides = [2,2]> (a)"
        ' u = Resize <mode = "nearest"> (p, , scales) c = Concat <axis = 1> (a, u, x)'
        " y = Clip(c, low, high) }",
        w=normal(rng, 16, 16, 3, 3),
        scales=np.array([1, 1, 2, 2], np.float32),
        low=np.array(-1, np.float32),
        high=np.array(1, np.float32),
    )
    changed = check(blocking, graph, normal(rng, 2, 16, 8, 8), length=144)
    final = next(v for v in reversed(changed.order()) if v.prim == "min")
    assert final.rank == 5


def shuffled(rng: np.random.Generator, group: int, per: int) -> Graph:
    """A unit of grouped convolutions with a shuffle between them, and a residual."""
    channels, shape = group * per, f"[N, {group * per}, 9, 10]".replace(" ", "")
    return parse(
        f"g (float{shape} x) => (float{shape} y) {{"
        f" a = Conv <group = {group}> (x, w1, b) r = Relu(a)"
        " s = Reshape(r, split) t = Transpose <perm = [0,2,1,3,4]> (s) u = Reshape(t, whole)"
        f" d = Conv <group = {channels}, pads = [1,1,1,1]> (u, w2, b)"
        f" c = Conv <group = {group}> (d, w3, b) z = Add(c, r) y = Relu(z) }}",
        w1=normal(rng, channels, per, 1, 1),
        w2=normal(rng, channels, 1, 3, 3),
        w3=normal(rng, channels, per, 1, 1),
        b=normal(rng, channels),
        split=np.array([0, group, per, 9, 10]),
        whole=np.array([0, channels, 9, 10]),
    )


@pytest.mark.parametrize(("group", "per", "blocks"), [(4, 34, 12), (3, 16, 3), (3, 20, 4), (2, 24, 4)])
def test_shuffled_channels_are_read_where_they_lie(
    rng: np.random.Generator, group: int, per: int, blocks: int
) -> None:
    changed = check(blocking, shuffled(rng, group, per), normal(rng, 2, group * per, 9, 10), length=per)
    first, second = (v for v in changed.order() if v.prim == "conv_blocked")
    assert "runs" not in first.attrs
    assert "runs" in second.attrs
    assert first.shape[1] == second.shape[1] == blocks, "groups begin at whole blocks if few lanes stay empty"
    order = changed.order()
    between = order[order.index(first) + 1 : order.index(second)]
    assert not any(v.prim in ("gather", "reshape") and v.rank == 4 for v in between)


def test_a_dense_convolution_has_its_weights_in_the_order_of_shuffled_channels(
    rng: np.random.Generator,
) -> None:
    graph = parse(
        "g (float[N,32,5,6] x) => (float[N,48,5,6] y) {"
        " a = Conv(x, w1) s = Reshape(a, split) t = Transpose <perm = [0,2,1,3,4]> (s) u = Reshape(t, whole)"
        " y = Conv <pads = [1,1,1,1]> (u, w2) }",
        w1=normal(rng, 32, 32, 1, 1),
        w2=normal(rng, 48, 32, 3, 3),
        split=np.array([0, 2, 16, 5, 6]),
        whole=np.array([0, 32, 5, 6]),
    )
    changed = check(blocking, graph, normal(rng, 2, 32, 5, 6), length=288)
    first, second = (v for v in changed.order() if v.prim == "conv_blocked")
    assert "runs" not in second.attrs
    assert second.args[0].args[0].id == first.id, "nothing is moved but the halo"


MATRICES = Goal(isa.with_features(isa.V4, ["avx512bf16", "amx-tile", "amx-bf16"]), Policy("bf16"))


def test_matrix_registers_find_channels_in_order(rng: np.random.Generator) -> None:
    graph = parse(
        "g (float[N,136,9,10] x) => (float[N,80,9,10] y) {"
        " a = Conv <group = 4> (x, w1) s = Reshape(a, split) t = Transpose <perm = [0,2,1,3,4]> (s)"
        " u = Reshape(t, whole) b = Relu(u) y = Conv(b, w2) }",
        w1=normal(rng, 136, 34, 1, 1),
        w2=normal(rng, 80, 136, 1, 1),
        split=np.array([0, 4, 34, 9, 10]),
        whole=np.array([0, 136, 9, 10]),
    )
    x = normal(rng, 1, 136, 9, 10)
    found = {}
    for goal in (GOAL, MATRICES):
        changed = blocking(graph, goal)
        assert_close(run(changed, [x])[0], run(graph, [x])[0], 136)
        found[goal] = ["runs" in v.attrs for v in changed.order() if v.prim == "conv_blocked"]
    assert found == {GOAL: [False, True], MATRICES: [False, False]}


def test_groups_on_vectors_find_channels_where_they_lie(rng: np.random.Generator) -> None:
    graph, x = shuffled(rng, 4, 34), normal(rng, 1, 136, 9, 10)
    changed = blocking(graph, MATRICES)
    assert any("runs" in v.attrs for v in changed.order())
    assert_close(run(changed, [x])[0], run(graph, [x])[0], 34)


def test_the_block_is_a_fact_of_the_target(rng: np.random.Generator) -> None:
    graph = parse(
        "g (float[2,16,5,6] x) => (float[2,24,5,6] y) { y = Conv<pads = [1,1,1,1]>(x, w) }",
        w=normal(rng, 24, 16, 3, 3),
    )
    x = normal(rng, 2, 16, 5, 6)
    for block in (8, 32):
        changed = blocking(graph, Goal(replace(GOAL.target, channel_block=block)))
        (value,) = (v for v in changed.order() if v.prim == "conv_blocked")
        assert value.shape == (2, -(-24 // block), 5, 6, block)
        assert_close(run(changed, [x])[0], run(graph, [x])[0], 144)


@pytest.mark.parametrize(("outputs", "is_whole"), [(32, True), (24, False), (1, False)])
@pytest.mark.parametrize("axes", [(0, 1, 2, 3), (1,), (1, 2, 3), (0, 1)])
@pytest.mark.parametrize("reduction", ["ReduceMax", "ReduceMin", "ReduceSum"])
def test_what_gives_the_same_in_any_order_is_read_blocked(
    rng: np.random.Generator, outputs: int, is_whole: bool, axes: tuple[int, ...], reduction: str
) -> None:
    """Sums of integers are such, and those of floats are not."""
    numbers = "i = Cast<to = 6>(c)" if reduction == "ReduceSum" else "i = Identity(c)"
    graph = parse(
        f"g (float[N,16,H,W] x) => (float[A,B,C,D] y) {{ c = Conv<pads = [1,1,1,1]>(x, w) {numbers}"
        f" r = {reduction}(i, axes) y = Cast<to = 1>(r) }}",
        w=rng.integers(-9, 9, (outputs, 16, 3, 3)).astype(np.float32),
        axes=np.array(axes, np.int64),
    )
    changed = check(blocking, graph, rng.integers(-9, 9, (2, 16, 7, 9)).astype(np.float32), length=144)
    reorders = [v for v in changed.order() if v.prim == "transpose" and v.rank == 5]
    assert len(reorders) == 2 - is_whole, text(changed)


@pytest.mark.parametrize("outputs", [16, 20])
def test_extremes_of_sequences_are_read_blocked(rng: np.random.Generator, outputs: int) -> None:
    graph = parse(
        "g (float[N,16,L] x) => (float[A,B,C] y, float[D,E,F] z)"
        " { c = Conv <pads = [2,2]> (x, w) y = ReduceMax(c) z = ReduceMin(c, axes) }",
        w=normal(rng, outputs, 16, 5),
        axes=np.array([1, 2], np.int64),
    )
    changed = check(blocking, graph, normal(rng, 2, 16, 19), length=80)
    reorders = [v for v in changed.order() if v.prim == "transpose" and v.rank == 5]
    assert len(reorders) == 1 + (outputs % 16 > 0), text(changed)


def test_sums_of_floats_keep_their_order(rng: np.random.Generator) -> None:
    graph = parse(
        "g (float[N,16,H,W] x) => (float[A,B,C,D] y) { c = Conv (x, w) y = ReduceSum(c) }",
        w=normal(rng, 16, 16, 3, 3),
    )
    changed = check(blocking, graph, normal(rng, 2, 16, 7, 9), length=16 * 144)
    assert [v.rank for v in changed.order() if v.prim == "sum"] == [4]


@pytest.mark.parametrize("taps", [1, 3])
def test_fed_weights_of_unknown_channels_are_left_alone(rng: np.random.Generator, taps: int) -> None:
    graph = parse(f"g (float[N,C,L] x, float[D,E,{taps}] w) => (float[N,D,M] y) {{ y = Conv(x, w) }}")
    changed = check(blocking, graph, normal(rng, 2, 4, 9), normal(rng, 5, 4, taps), length=4 * taps)
    assert "conv_blocked" not in prims(changed)


def test_single_channels_are_padded_as_they_are_stored(rng: np.random.Generator) -> None:
    graph = parse(
        "g (float[N,32,H,W] x) => (float[N,32,P,Q] y) { r = Relu(x) h = Cast<to = 16>(r) s = Cast<to = 1>(h)"
        " y = Conv <group = 32, pads = [1,1,1,1]> (s, w) }",
        w=normal(rng, 32, 1, 3, 3),
    )
    changed = check(blocking, graph, normal(rng, 2, 32, 7, 8), length=9)
    (halo,) = (v for v in changed.order() if v.prim == "pad")
    assert halo.dtype is dt.BF16


@pytest.mark.parametrize(
    ("sizes", "kernel", "perm", "turned"),
    [("H,W", (3, 3), (0, 2, 3, 1), (0, 2, 3, 1, 4)), ("L", (3,), (0, 2, 1), (0, 2, 3, 1, 4))],
)
def test_channels_that_go_last_stay_together(
    rng: np.random.Generator,
    sizes: str,
    kernel: tuple[int, ...],
    perm: tuple[int, ...],
    turned: tuple[int, ...],
) -> None:
    results = ",".join("PQ"[: len(kernel)])
    graph = parse(
        f"g (float[N,20,{sizes}] x) => (float[N,{results},40] y)"
        f" {{ c = Conv(x, w, b) r = Relu(c) y = Transpose<perm = {list(perm)}>(r) }}",
        w=normal(rng, 40, 20, *kernel),
        b=normal(rng, 40),
    )
    changed = check(blocking, graph, normal(rng, 2, 20, *(7, 9)[: len(kernel)]), length=180)
    found = [value.attrs["perm"] for value in changed.order() if value.prim == "transpose"]
    assert found[-1] == turned
    assert len(found) == 2, "one for the input"


@pytest.mark.parametrize("end", ["", "z = Sigmoid(r)"])
@pytest.mark.parametrize("size", ["[N,20,H,W]", "[2,20,6,7]"])
def test_a_head_leaves_blocks_before_it_grows(rng: np.random.Generator, size: str, end: str) -> None:
    """Lines are turned that are long already, but not yet as many as there will be."""
    result = "z" if end else "r"
    graph = parse(
        f"g (float{size} x) => (float[A,B,C,D] {result})"
        f' {{ c = Conv <pads = [1,1,1,1]> (x, w) r = Resize <mode = "linear"> (c, , s) {end} }}',
        w=normal(rng, 21, 20, 3, 3),
        s=np.array([1, 1, 4, 3], np.float32),
    )
    changed = check(blocking, graph, normal(rng, 2, 20, 6, 7), length=180)
    *_, turned = (v for v in changed.order() if v.prim == "transpose")
    lines, pixels = (assumed(n) for n in turned.shape[3:])
    assert (lines, pixels) == (64, 192) if "N" in size else (6, 21), text(changed)


def test_what_a_convolution_reads_too_grows_in_blocks(rng: np.random.Generator) -> None:
    graph = parse(
        "g (float[N,20,H,W] x) => (float[A,B,C,D] r, float[E,F,G,I] y)"
        ' { c = Conv (x, w) r = Resize <mode = "linear"> (c, , s) y = Conv (r, v) }',
        w=normal(rng, 24, 20, 1, 1),
        v=normal(rng, 24, 24, 1, 1),
        s=np.array([1, 1, 2, 2], np.float32),
    )
    changed = check(blocking, graph, normal(rng, 2, 20, 6, 7), length=180)
    assert len([v for v in changed.order() if v.kind == "index"]) == 4, text(changed)
