"""Tensors read between their elements: all channels of a pixel at once, or one channel after the other."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import sardonyx
from sardonyx.frontend import load
from tests.tolerance import assert_close
from tests.unit.frontend.models import parsed
from tests.unit.ops.peer import assert_agree, both

Array = np.ndarray[Any, Any]
MODES = ["linear", "nearest", "cubic"]


def native(body: str, **feeds: Any) -> list[Array]:
    """What compiled code gives."""
    return sardonyx.InferenceSession(parsed(body, 20).SerializeToString()).run(None, feeds)


def by_channel(x: Array, grid: Array, call: str) -> Array:
    """A sample of each channel as a picture of its own."""
    alone = x.reshape(-1, 1, *x.shape[2:])
    places = np.repeat(grid, x.shape[1], 0)
    sizes = [",".join(map(str, a.shape)) for a in (alone, places)]
    (y,) = native(
        f"g (float[{sizes[0]}] x, float[{sizes[1]}] p) => (float[?] y) {{ y = {call} }}", x=alone, p=places
    )
    return y.reshape(*x.shape[:2], *grid.shape[1:-1])


@pytest.mark.parametrize("align", [0, 1])
@pytest.mark.parametrize("mode", ["bicubic", "bilinear", "nearest"])
@pytest.mark.parametrize("padding", ["zeros", "border", "reflection"])
@pytest.mark.parametrize("channels", [2, 17])
def test_places_outside_are_read_as_onnxruntime_reads_them(
    mode: str, padding: str, align: int, channels: int
) -> None:
    random = np.random.default_rng(0)
    x = random.standard_normal((1, channels, 5, 4)).astype(np.float32)
    grid = random.uniform(-2.5, 2.5, (1, 9, 8, 2)).astype(np.float32)
    attributes = {"mode": mode, "padding_mode": padding, "align_corners": align}
    assert_agree(*both("GridSample", "", {"x": x, "grid": grid}, attributes))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("padding", ["zeros", "border", "reflection"])
@pytest.mark.parametrize("channels", [8, 33])
def test_channels_that_lie_side_by_side(mode: str, padding: str, channels: int) -> None:
    """As deformable attention reads them: the result is that of the same channels one after the other."""
    random = np.random.default_rng(channels)
    rows = random.standard_normal((2, 30, 3 * channels)).astype(np.float32)
    grid = random.uniform(-1.4, 1.4, (6, 9, 3, 2)).astype(np.float32)
    sampled = f'GridSample<mode = "{mode}", padding_mode = "{padding}">'
    x = rows.transpose(0, 2, 1).reshape(-1, channels, 5, 6)
    expected = [by_channel(v, grid, f"{sampled}(x, p)") for v in (x, np.maximum(x, 0))]
    for sizes in (("2,30", "6,9"), ("N,30", "M,Q")):
        inputs = f"float[{sizes[0]},{3 * channels}] r, float[{sizes[1]},3,2] p"
        body = f"""g ({inputs}) => (float[?] y, float[?] z) {{
            c = Constant<value_ints = [-1, {channels}, 5, 6]>()
            t = Transpose<perm = [0, 2, 1]>(r)
            x = Reshape(t, c)
            y = {sampled}(x, p)
            a = Relu(x)
            z = {sampled}(a, p)
        }}"""
        assert "gather_nd" in load(parsed(body, 20)).graph.primitives
        for got, wanted in zip(native(body, r=rows, p=grid), expected, strict=True):
            assert_close(got, wanted, 4)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("channels", "points"), [(8, 9), (17, 64), (33, 1), (16, 2), (7, 40), (16, 0)])
def test_channels_that_lie_apart(mode: str, channels: int, points: int) -> None:
    random = np.random.default_rng(channels)
    x = random.standard_normal((2, channels, 7, 9)).astype(np.float32)
    x[0, 1, 3, 4] = np.nan
    grid = random.uniform(-1.4, 1.4, (2, points, 3, 2)).astype(np.float32)
    call = f'GridSample<mode = "{mode}">(x, p)'
    expected = by_channel(x, grid, call)
    for sizes in ((f"2,{channels},7,9", f"2,{points},3,2"), (f"N,{channels},H,W", "N,P,Q,2")):
        body = f"g (float[{sizes[0]}] x, float[{sizes[1]}] p) => (float[?] y) {{ y = {call} }}"
        assert_close(native(body, x=x, p=grid)[0], expected, 16)


@pytest.mark.parametrize(
    ("sizes", "turned"),
    [
        (("1,16,8,8", "1,4,4,2"), True),
        (("1,16,8,8", "1,2,2,2"), True),
        (("1,16,8,8", "1,1,3,2"), False),
        (("1,7,8,8", "1,4,4,2"), False),
        (("N,16,H,W", "N,P,Q,2"), True),
    ],
)
def test_pixels_are_turned_for_many_points_alone(sizes: tuple[str, str], turned: bool) -> None:
    body = f"g (float[{sizes[0]}] x, float[{sizes[1]}] p) => (float[?] y) {{ y = GridSample(x, p) }}"
    assert ("gather_nd" in load(parsed(body, 20)).graph.primitives) == turned


def test_volumes_within_bodies() -> None:
    """Each iteration reads other places of the same pixels."""
    random = np.random.default_rng(2)
    x = random.standard_normal((1, 19, 3, 4, 5)).astype(np.float32)
    grids = random.uniform(-1.2, 1.2, (3, 1, 2, 6, 3, 3)).astype(np.float32)
    body = """g (float[1,19,3,4,5] x, float[3,1,2,6,3,3] g) => (float[?] y) {
        y = Scan<num_scan_inputs = 1, body = b (float[1,2,6,3,3] p) => (float[?] z) {
            z = GridSample(x, p)
        }>(g)
    }"""
    (y,) = native(body, x=x, g=grids)
    for got, grid in zip(y, grids, strict=True):
        assert_close(got, by_channel(x, grid, "GridSample(x, p)"), 8)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("channels", [1, 16])
def test_a_place_that_is_no_number_is_outside(mode: str, channels: int) -> None:
    x = np.arange(1, 25 * channels + 1, dtype=np.float32).reshape(1, channels, 5, 5)
    grid = np.zeros((1, 1, 20, 2), np.float32)
    grid[0, 0, :4] = [[np.nan, 0], [0, np.inf], [-np.inf, np.nan], [1e30, 0]]
    call = f'GridSample<mode = "{mode}">(x, p)'
    body = f"g (float[1,{channels},5,5] x, float[1,1,20,2] p) => (float[?] y) {{ y = {call} }}"
    (y,) = native(body, x=x, p=grid)
    np.testing.assert_array_equal(y[0, :, 0, :4], 0)
    np.testing.assert_array_equal(y[0, :, 0, 4:], np.broadcast_to(x[0, :, 2, 2:3], (channels, 16)))


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize(("channels", "groups", "turned"), [(16, 1, True), (34, 2, True), (12, 2, False)])
def test_moved_taps_read_all_channels_of_a_pixel(
    channels: int, groups: int, turned: bool, masked: bool
) -> None:
    random = np.random.default_rng(channels)
    feeds: dict[str, Array | None] = {
        "x": random.standard_normal((2, channels, 6, 7)).astype(np.float32),
        "w": random.standard_normal((5, channels, 3, 3)).astype(np.float32),
        "o": random.standard_normal((2, groups * 18, 6, 7)).astype(np.float32),
        "b": None,
        "m": random.random((2, groups * 9, 6, 7)).astype(np.float32) if masked else None,
    }
    attributes = {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1], "offset_group": groups}
    ours, theirs = both("DeformConv", "", feeds, attributes, opset=19)
    assert_close(ours[0], theirs[0], 9 * channels)
    mask = f", float[2,{groups * 9},6,7] m" if masked else ""
    call = "DeformConv<kernel_shape = [3, 3], pads = [1, 1, 1, 1], offset_group = " + str(groups) + ">"
    body = f"""g (float[2,{channels},6,7] x, float[5,{channels},3,3] w, float[2,{groups * 18},6,7] o{mask})
        => (float[?] y) {{ {"y = " + call + ("(x, w, o, , m)" if masked else "(x, w, o)")} }}"""
    assert ("gather_nd" in load(parsed(body, 20)).graph.primitives) == turned
    given = {name: value for name, value in feeds.items() if value is not None}
    assert_close(native(body, **given)[0], theirs[0], 9 * channels)


@pytest.mark.parametrize("spatial", [(17, 33), (1, 5), (3, 4, 19), (4, 0)])
@pytest.mark.parametrize("align", [0, 1])
@pytest.mark.parametrize("dtype", ["float", "double"])
def test_grids_of_affine_maps(spatial: tuple[int, ...], align: int, dtype: str) -> None:
    """Of sizes that are known or fed: each position is mapped as a vector that ends in 1."""
    if align and 1 in spatial:
        pytest.skip("a single position has no corners")
    rank = len(spatial)
    theta = np.random.default_rng(rank).standard_normal((2, rank, rank + 1))
    theta[1, 0, rank] = np.nan
    theta = theta.astype(np.float32 if dtype == "float" else np.float64)
    axes = [np.arange(n) * 2 / (n - 1) - 1 if align else (np.arange(n) * 2 + 1) / n - 1 for n in spatial]
    places = np.stack([*reversed(np.meshgrid(*axes, indexing="ij")), np.ones(spatial)], -1)
    expected = np.einsum("...d,nad->n...a", places, theta)
    size = np.array([2, 3, *spatial])
    call = f"AffineGrid<align_corners = {align}>(t, s)"
    head = f"{dtype}[2,{rank},{rank + 1}] t"
    listed = ", ".join(map(str, size))
    known = f"g ({head}) => ({dtype}[?] y) {{ s = Constant<value_ints = [{listed}]>() y = {call} }}"
    fed = f"g ({head}, int64[{rank + 2}] s) => ({dtype}[?] y) {{ y = {call} }}"
    for got in (native(known, t=theta)[0], native(fed, t=theta, s=size)[0]):
        assert got.dtype == theta.dtype
        assert_close(got, expected.astype(theta.dtype), 16)
