"""Convolutions and pools: sizes over unknown sizes, and what rounding up and padding count."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import sardonyx
from sardonyx.frontend import load
from sardonyx.ir.algorithms import region
from sardonyx.ops.window import Sliding, Window
from tests.unit.frontend.models import outputs, parsed, shapes
from tests.unit.ops.peer import assert_agree, both

SIZES = (
    ("Conv<pads = [1, 1, 1, 1]>(x, w)", "N,4,H,W"),
    ("Conv(x, w)", "N,4,H-2,W-2"),
    ("Conv<strides = [2, 2], pads = [1, 1, 1, 1]>(x, w)", "N,4,floordiv(H+1, 2),floordiv(W+1, 2)"),
    ('Conv<auto_pad = "SAME_UPPER">(x, w)', "N,4,H,W"),
    ('Conv<auto_pad = "SAME_LOWER", strides = [2, 3]>(x, w)', "N,4,floordiv(H+1, 2),floordiv(W+2, 3)"),
    ("Conv<dilations = [2, 1], pads = [2, 1, 2, 1]>(x, w)", "N,4,H,W"),
    ("MaxPool<kernel_shape = [2, 2], strides = [2, 2]>(x)", "N,3,floordiv(H, 2),floordiv(W, 2)"),
    (
        "AveragePool<kernel_shape = [2, 2], strides = [2, 2], ceil_mode = 1>(x)",
        "N,3,floordiv(H+1, 2),floordiv(W+1, 2)",
    ),
    ("ConvTranspose<strides = [2, 2], pads = [1, 1, 1, 1], output_padding = [1, 1]>(x, t)", "N,4,2*H,2*W"),
    ('ConvTranspose<strides = [2, 2], auto_pad = "SAME_UPPER">(x, t)', "N,4,2*H,2*W"),
    ("GlobalAveragePool(x)", "N,3,1,1"),
    ("LRN<size = 5>(x)", "N,3,H,W"),
    ("InstanceNormalization(x, c, c)", "N,3,H,W"),
    ("GroupNormalization<num_groups = 3>(x, c, c)", "N,3,H,W"),
)


@pytest.mark.parametrize(("call", "expected"), SIZES, ids=[call[:60] for call, _ in SIZES])
def test_size(call: str, expected: str) -> None:
    inputs = "float[N,3,H,W] x, float[4,3,3,3] w, float[3,4,3,3] t, float[3] c"
    assert shapes(parsed(f"g ({inputs}) => (float[?] y) {{ y = {call} }}"))[0] == expected


def native(body: str, **feeds: Any) -> list[np.ndarray[Any, Any]]:
    """What compiled code gives."""
    return sardonyx.InferenceSession(parsed(body).SerializeToString()).run(None, feeds)


X = np.arange(1, 26, dtype=np.float32).reshape(1, 1, 5, 5)


@pytest.mark.parametrize(("include", "corner"), [(0, (1 + 2 + 6 + 7) / 4), (1, (1 + 2 + 6 + 7) / 9)])
def test_average_counts_pads_if_asked(include: int, corner: float) -> None:
    call = f"AveragePool<kernel_shape = [3, 3], pads = [1, 1, 1, 1], count_include_pad = {include}>(x)"
    for sizes in ("1,1,5,5", "N,1,H,W"):
        (y,) = outputs(parsed(f"g (float[{sizes}] x) => (float[?] y) {{ y = {call} }}"), X)
        assert y[0, 0, 0, 0] == np.float32(corner)
        assert y[0, 0, 2, 2] == X[0, 0, 2, 2]


def test_windows_beyond_the_pads_are_not_counted() -> None:
    call = "AveragePool<kernel_shape = [2, 2], strides = [2, 2], ceil_mode = 1, count_include_pad = 1>(x)"
    (y,) = outputs(parsed(f"g (float[N,1,H,W] x) => (float[?] y) {{ y = {call} }}"), X)
    assert y.shape == (1, 1, 3, 3)
    assert y[0, 0, 2, 2] == 25
    assert y[0, 0, 0, 2] == 7.5


def test_a_window_that_would_start_in_the_pad_is_left_out() -> None:
    call = "MaxPool<kernel_shape = [2, 2], strides = [3, 3], pads = [0, 0, 1, 1], ceil_mode = 1>(x)"
    text = f"g (float[1,1,H,W] x) => (float[?] y) {{ y = {call} }}"
    (y,) = outputs(parsed(text), X[:, :, :3, :3])
    assert y.shape == (1, 1, 1, 1)


@pytest.mark.parametrize("order", [0, 1])
def test_places_of_maxima_lead_back_to_them(order: int) -> None:
    x = np.random.default_rng(0).standard_normal((2, 3, 6, 5)).astype(np.float32)
    call = (
        f"MaxPool<kernel_shape = [2, 3], strides = [2, 1], pads = [1, 0, 0, 1], storage_order = {order}>(x)"
    )
    y, places = outputs(parsed(f"g (float[2,3,H,5] x) => (float[?] y, int64[?] i) {{ y, i = {call} }}"), x)
    flat = x if order == 0 else x.swapaxes(2, 3)
    np.testing.assert_array_equal(flat.reshape(-1)[places], y)


def test_integers_are_convolved_exactly() -> None:
    rng = np.random.default_rng(1)
    x = rng.integers(0, 256, (1, 40, 4, 4)).astype(np.uint8)
    w = rng.integers(-128, 128, (3, 40, 1, 1)).astype(np.int8)
    text = """g (uint8[1,40,4,4] x, int8[3,40,1,1] w, uint8 a, int8[3] b) => (int32[?] y)
        { y = ConvInteger(x, w, a, b) }"""
    zeros = np.array([-3, 0, 7], np.int8)
    (y,) = outputs(parsed(text), x, w, np.uint8(130), zeros)
    wide = w.astype(np.int64)[..., 0, 0] - zeros.astype(np.int64)[:, None]
    expected = np.einsum("oi,nihw->nohw", wide, x.astype(np.int64) - 130)
    np.testing.assert_array_equal(y, expected)


def test_batch_normalisation_is_one_scale_and_shift() -> None:
    model = parsed("""g (float[N,3,H,W] x) => (float[?] y) {
        s = Constant<value_floats = [1.0, 2.0, 3.0]>()
        v = Constant<value_floats = [1.0, 4.0, 9.0]>()
        y = BatchNormalization<epsilon = 0.0>(x, s, s, s, v)
    }""")
    maps = [v.prim for v in load(model).graph.order() if v.kind == "map"]
    assert maps == ["mul", "add"]
    x = np.ones((1, 3, 2, 2), np.float32)
    (y,) = outputs(model, x)
    np.testing.assert_allclose(y[0, :, 0, 0], [1, 1, 1])


@pytest.mark.parametrize("group", [1, 2, 4])
@pytest.mark.parametrize("op", ["Conv", "ConvTranspose"])
def test_channels_that_only_the_weights_know(op: str, group: int) -> None:
    shape = "4,3,2,2" if op == "ConvTranspose" else f"4,{4 // group},2,2"
    size = math.prod(map(int, shape.split(",")))
    w = f"float[{shape}] w = {{{', '.join(str(n % 5) for n in range(size))}}}"

    def run(sizes: str, x: Any) -> Any:
        text = f"g (float[{sizes}] x) => (float[?,?,?,?] y) <{w}> {{ y = {op}<group = {group}>(x, w) }}"
        return sardonyx.InferenceSession(parsed(text).SerializeToString()).run(None, {"x": x})[0]

    x = np.arange(2 * 4 * 3 * 5, dtype=np.float32).reshape(2, 4, 3, 5)
    assert np.array_equal(run("N,C,H,W", x), run("2,4,3,5", x))
    with pytest.raises(Exception, match="cannot reshape"):
        run("N,C,H,W", x[:, :3].copy())


@pytest.mark.parametrize("op", ["Conv", "ConvTranspose"])
def test_weights_of_free_sizes_and_a_bias(op: str) -> None:
    text = f"g (float[N,C,H,W] x, float[A,B,K,L] w, float[O] b) => (float[?,?,?,?] y) {{ y = {op}(x, w, b) }}"
    session = sardonyx.InferenceSession(parsed(text).SerializeToString())
    x, b = np.ones((2, 3, 4, 5), np.float32), np.full(3, 7, np.float32)
    for kernel in (2, 3):
        w = np.ones((3, 3, kernel, kernel), np.float32)
        (y,) = session.run(None, {"x": x, "w": w, "b": b})
        assert y.max() == 3 * kernel**2 + 7


def test_a_bias_of_unknown_size_after_a_blocked_convolution() -> None:
    w = ", ".join("1" for _ in range(32))
    text = f"g (float[N,1,H,W] x, float[O] b) => (float[?,?,?,?] y) <float[32,1,1,1] w = {{{w}}}>"
    session = sardonyx.InferenceSession(parsed(text + "{ y = Conv(x, w, b) }").SerializeToString())
    (y,) = session.run(None, {"x": np.ones((1, 1, 2, 2), np.float32), "b": np.arange(32, dtype=np.float32)})
    assert np.array_equal(y[0, :, 0, 0], np.arange(32) + 1)


@pytest.mark.parametrize("op", ["Conv", "ConvTranspose"])
def test_an_empty_batch(op: str) -> None:
    text = f"g (float[N,3,4,4] x, float[3,3,2,2] w) => (float[?,?,?,?] y) {{ y = {op}(x, w) }}"
    (y,) = outputs(parsed(text), np.ones((0, 3, 4, 4), np.float32), np.ones((3, 3, 2, 2), np.float32))
    assert y.shape == (0, 3, 3, 3) if op == "Conv" else (0, 3, 5, 5)


def test_automatic_pads_are_counted_when_rounding_up_too() -> None:
    attributes = 'kernel_shape = [3, 3], auto_pad = "SAME_UPPER", ceil_mode = 1, count_include_pad = 1'
    text = f"g (float[1,1,H,W] x) => (float[?] y) {{ y = AveragePool<{attributes}>(x) }}"
    (y,) = outputs(parsed(text), X)
    assert y[0, 0, 0, 0] == np.float32((1 + 2 + 6 + 7) / 9)


def test_a_last_window_that_ends_before_its_tensor() -> None:
    call = "AveragePool<kernel_shape = [1], strides = [3], ceil_mode = 1>(x)"
    text = f"g (float[1,1,H] x) => (float[?] y) {{ y = {call} }}"
    session = sardonyx.InferenceSession(parsed(text).SerializeToString())
    for size in (7, 8, 9, 10):
        x = np.arange(size, dtype=np.float32).reshape(1, 1, size)
        assert np.array_equal(session.run(None, {"x": x})[0], x[:, :, ::3])


# Attributes of pools whose windows are large.
LARGE: tuple[dict[str, Any], ...] = (
    {"kernel_shape": [5, 5], "pads": [2, 2, 2, 2]},
    {"kernel_shape": [13, 9], "pads": [6, 4, 6, 4]},
    {"kernel_shape": [7, 8], "strides": [2, 1], "pads": [0, 3, 3, 0]},
    {"kernel_shape": [9, 9], "strides": [2, 3], "ceil_mode": 1},
    {"kernel_shape": [5, 6], "dilations": [2, 3], "auto_pad": "SAME_LOWER"},
)


@pytest.mark.parametrize("kind", ["uint8", "int8", "float", "double"])
@pytest.mark.parametrize("attributes", LARGE, ids=str)
def test_large_maxima_are_those_of_all_elements(attributes: dict[str, Any], kind: str) -> None:
    given = ", ".join(f'{k} = "{v}"' if isinstance(v, str) else f"{k} = {v}" for k, v in attributes.items())
    text = f"g ({kind}[N,C,H,W] x) => ({kind}[?,?,?,?] y) {{ y = MaxPool<{given}>(x) }}"
    session = sardonyx.InferenceSession(parsed(text).SerializeToString())
    for size in ((2, 3, 17, 21), (1, 20, 16, 16)):
        x = np.random.default_rng(0).integers(-9, 90, size).astype({"float": "float32"}.get(kind, kind))
        if kind in ("float", "double"):
            x[0, 0, 7, 8], x[0, 1] = np.nan, -np.inf
        (y,) = session.run(None, {"x": x})
        assert np.array_equal(y, _maxima(x, attributes), equal_nan=kind in ("float", "double"))


def _maxima(x: np.ndarray, attributes: dict[str, Any]) -> np.ndarray:
    window = Window.of(
        x.shape[2:],
        attributes["kernel_shape"],
        Sliding(**{k: v for k, v in attributes.items() if k not in ("kernel_shape", "ceil_mode")}),
        attributes.get("ceil_mode", 0),
    )
    y = np.empty((*x.shape[:2], *window.out), x.dtype)
    for at in np.ndindex(*y.shape[2:]):
        picks = []
        for axis, size in enumerate(x.shape[2:]):
            first = at[axis] * window.strides[axis] - int(window.low[axis])
            taps = first + np.arange(window.kernel[axis]) * window.dilations[axis]
            picks.append(taps[(taps >= 0) & (taps < size)])
        y[:, :, at[0], at[1]] = x[:, :, picks[0]][:, :, :, picks[1]].max((2, 3))
    return y


@pytest.mark.parametrize("kind", ["uint8", "float"])
def test_a_maximum_is_never_found_outside(kind: str) -> None:
    call = "y, i = MaxPool<kernel_shape = [3], pads = [1, 1]>(x)"
    lowest = 0 if kind == "uint8" else -np.inf
    x = np.full((1, 1, 4), lowest, "uint8" if kind == "uint8" else "float32")
    for size in ("4", "N"):
        model = parsed(f"g ({kind}[1,1,{size}] x) => ({kind}[?,?,?] y, int64[?,?,?] i) {{ {call} }}")
        _, places = sardonyx.InferenceSession(model.SerializeToString()).run(None, {"x": x})
        assert places.tolist() == [[[0, 0, 1, 2]]]


# Kernel, stride, pads before and after, dilation, over an axis of so many elements.
SHORT = ((2, 2, 0, 0, 1, 1), (3, 3, 0, 0, 1, 1), (4, 2, 1, 1, 1, 1), (4, 2, 1, 0, 1, 1), (2, 3, 0, 0, 2, 2))


@pytest.mark.parametrize("ceil", [0, 1])
@pytest.mark.parametrize("case", SHORT, ids=str)
@pytest.mark.parametrize("op", ["MaxPool", "AveragePool", "AveragePool with pads", "LpPool"])
def test_a_window_that_is_cut_off_by_less_than_a_stride_counts(
    op: str, case: tuple[int, ...], ceil: int
) -> None:
    kernel, stride, before, after, dilation, n = case
    attributes: dict[str, Any] = {
        "kernel_shape": [1, kernel],
        "strides": [1, stride],
        "pads": [0, before, 0, after],
        "dilations": [1, dilation],
        "ceil_mode": ceil,
    }
    if op.endswith("pads"):
        attributes["count_include_pad"] = 1
    outputs = ("y", "i") if op == "MaxPool" and not before else ("y",)
    x = np.arange(3, 3 + 2 * n, dtype=np.float32).reshape(1, 1, 2, n)
    assert_agree(*both(op.split()[0], "", {"x": x}, attributes, outputs, opset=20))


def test_a_pool_of_an_open_size_that_is_cut_off() -> None:
    call = "MaxPool<kernel_shape = [2], strides = [2]>(x)"
    session = sardonyx.InferenceSession(
        parsed(f"g (float[1,1,N] x) => (float[?] y) {{ y = {call} }}").SerializeToString()
    )
    for n, expected in ((5, [[[2, 4]]]), (1, [[[1]]]), (4, [[[2, 4]]])):
        (y,) = session.run(None, {"x": np.arange(1, n + 1, dtype=np.float32).reshape(1, 1, n)})
        assert y.tolist() == expected


UNCHECKED = {
    "a branch": """y = If(k) <then_branch = t () => (float[?,?,?] t) { t = POOL(x) },
        else_branch = e () => (float[?,?,?] e) { e = Neg(x) }>""",
    "a loop": """n = Constant<value = int64 {1}> ()
        s = Loop(n, k)
            <body = b (int64 i, bool c) => (bool d, float[?,?,?] t) { d = Identity(c) t = POOL(x) }>
        a = Constant<value = int64[1] {0}> ()
        y = Squeeze(s, a)""",
    "a computed size": """m = Expand(k, w)
        c = Compress<axis = 2>(x, m)
        y = POOL(c)""",
}


@pytest.mark.parametrize("op", ["MaxPool", "AveragePool", "LpPool"])
@pytest.mark.parametrize("place", list(UNCHECKED))
def test_a_pool_that_is_cut_off_where_no_program_is_chosen_by_its_sizes(op: str, place: str) -> None:
    nodes = "w = Shape<start = 2>(x) " + UNCHECKED[place]
    call = f"{op}<kernel_shape = [4], strides = [3], pads = [0, 1]>"
    text = f"g (float[1,2,N] x, bool k) => (float[?,?,?] y) {{ {nodes.replace('POOL', call)} }}"
    session = sardonyx.InferenceSession(parsed(text).SerializeToString())
    for n in (2, 1, 7):
        feeds = {"x": np.arange(1, 2 * n + 1, dtype=np.float32).reshape(1, 2, n)}
        attributes = {"kernel_shape": [4], "strides": [3], "pads": [0, 1]}
        assert_agree(session.run(None, {**feeds, "k": np.array(True)}), both(op, "", feeds, attributes)[1])


BLOCKS: tuple[dict[str, tuple[int, ...]], ...] = (
    {
        "kernel": (3, 3),
        "positions": (6, 9),
        "strides": (1, 1),
        "dilations": (1, 1),
        "low": (1, 1),
        "out": (6, 9),
    },
    {
        "kernel": (2, 3),
        "positions": (5, 4),
        "strides": (2, 3),
        "dilations": (1, 1),
        "low": (0, 0),
        "out": (10, 12),
    },
    {
        "kernel": (7, 3),
        "positions": (4, 5),
        "strides": (4, 2),
        "dilations": (1, 1),
        "low": (2, 1),
        "out": (15, 9),
    },
    {
        "kernel": (3, 2),
        "positions": (3, 4),
        "strides": (2, 3),
        "dilations": (2, 1),
        "low": (1, 0),
        "out": (8, 12),
    },
    {"kernel": (2,), "positions": (17,), "strides": (3,), "dilations": (1,), "low": (0,), "out": (50,)},
    {
        "kernel": (2, 1, 2),
        "positions": (2, 3, 20),
        "strides": (2, 1, 1),
        "dilations": (1, 1, 2),
        "low": (0, 0, 1),
        "out": (4, 3, 20),
    },
    {
        "kernel": (9, 9),
        "positions": (4, 4),
        "strides": (1, 1),
        "dilations": (1, 1),
        "low": (0, 0),
        "out": (12, 12),
    },
)


@pytest.mark.parametrize("at", BLOCKS, ids=lambda at: "x".join(map(str, at["kernel"])))
@pytest.mark.parametrize("type_", ["float", "float16", "double", "int32"])
def test_columns_are_added_up(at: dict[str, tuple[int, ...]], type_: str) -> None:
    taps, columns = math.prod(at["kernel"]), math.prod(at["positions"])
    numpy_type = {"float": np.float32, "float16": np.float16, "double": np.float64, "int32": np.int32}[type_]
    x: Any = np.random.default_rng(taps).integers(-9, 9, (2, 3 * taps, columns)).astype(numpy_type)
    spans = [(k - 1) * d + 1 for k, d in zip(at["kernel"], at["dilations"], strict=True)]
    ends = zip(at["positions"], at["strides"], spans, at["low"], at["out"], strict=True)
    high = [max((p - 1) * s + span - low - out, 0) for p, s, span, low, out in ends]
    moves = (
        f"pads = {[*at['low'], *high]}, strides = {list(at['strides'])}, dilations = {list(at['dilations'])}"
    )
    known = (
        f"i = Constant<value_ints = {list(at['out'])}>() b = Constant<value_ints = {list(at['kernel'])}>()"
    )
    expected = region.col2im(x.astype(np.float64), **at).astype(numpy_type)
    for sizes in (f"2,{3 * taps},{columns}", f"N,C,{columns}"):
        body = f"g ({type_}[{sizes}] x) => ({type_}[?] y) {{ {known} y = Col2Im<{moves}>(x, i, b) }}"
        (y,) = native(body, x=x)
        np.testing.assert_array_equal(y, expected)


@pytest.mark.parametrize(
    ("block", "stride", "added_up"),
    [(20, 20, True), (16, 1, False), (20, 2, False), (20, 9, True), (40, 3, True), (20, 17, False)],
)
def test_columns_of_large_blocks_are_added_up_where_few_meet(block: int, stride: int, added_up: bool) -> None:
    size = block + 2 * stride
    known = f"i = Constant<value_ints = [{size}, {size}]>() b = Constant<value_ints = [{block}, {block}]>()"
    call = f"Col2Im<strides = [{stride}, {stride}]>(x, i, b)"
    body = f"g (float[1,{block * block},9] x) => (float[?] y) {{ {known} y = {call} }}"
    assert ("col2im" not in load(parsed(body)).graph.primitives) == added_up
    x: Any = np.random.default_rng(block).integers(-9, 9, (1, block * block, 9)).astype(np.float32)
    ones, pair = (1, 1), (block, block)
    moves = {"strides": (stride, stride), "dilations": ones, "low": (0, 0), "out": (size, size)}
    expected = region.col2im(x, kernel=pair, positions=(3, 3), **moves)
    np.testing.assert_array_equal(native(body, x=x)[0], expected)


@pytest.mark.parametrize("type_", ["float", "float16", "double"])
@pytest.mark.parametrize(
    ("kernel", "moves", "is_product"),
    [
        ((4, 4), "", True),
        ((3,), "strides = [2]", True),
        ((2, 3, 1), "dilations = [1, 1, 2]", True),
        ((4, 4), "pads = [1, 0, 0, 1]", False),
        ((4, 3), "dilations = [1, 2]", False),
        ((2, 2), "strides = [2, 2], output_padding = [1, 0]", False),
        ((2, 2), "group = 2", False),
    ],
)
def test_one_pixel_that_is_spread_is_a_product(
    kernel: tuple[int, ...], moves: str, is_product: bool, type_: str
) -> None:
    numpy_type = {"float": np.float32, "float16": np.float16, "double": np.float64}[type_]
    random = np.random.default_rng(len(kernel))
    group = 2 if "group" in moves else 1
    x, w, b = (
        random.integers(-4, 5, shape).astype(numpy_type)
        for shape in ((3, 6, *(1,) * len(kernel)), (6, 5, *kernel), (5 * group,))
    )
    feeds: dict[str, Any] = {"x": x, "w": w, "b": b}
    ones = ",1" * len(kernel)
    inputs = f"{type_}[N,6{ones}] x, {type_}[{','.join(map(str, w.shape))}] w, {type_}[{len(b)}] b"
    call = f"ConvTranspose{f'<{moves}>' if moves else ''}(x, w, b)"
    body = f"g ({inputs}) => ({type_}[?] y) {{ y = {call} }}"
    assert ("dot" in load(parsed(body)).graph.primitives) == is_product
    (y,) = native(body, **feeds)
    if is_product:
        spread = np.tensordot(x.reshape(3, 6).astype(np.float64), w.astype(np.float64), 1)
        np.testing.assert_array_equal(y, spread + b.reshape(-1, *(1,) * len(kernel)))
