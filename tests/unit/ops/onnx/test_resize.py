"""Resize: views and constant tables where sizes are known, size expressions where they are not."""

from __future__ import annotations

import numpy as np
import pytest

from sardonyx.frontend import load
from tests.property.operators.definitions.resizing import ROUNDINGS, cropped, nearest
from tests.unit.frontend.models import outputs, parsed, shapes


def resized(inputs: str, scales: list[float], attributes: str) -> str:
    numbers = ", ".join(map(str, scales))
    return f"""g ({inputs}) => (float[?] y) {{
        s = Constant<value_floats = [{numbers}]>()
        y = Resize<{attributes}>(x, , s)
    }}"""


DOUBLING = (
    'mode = "nearest", coordinate_transformation_mode = "asymmetric", nearest_mode = "floor"',
    'mode = "nearest", coordinate_transformation_mode = "half_pixel"',
    'mode = "nearest", coordinate_transformation_mode = "pytorch_half_pixel"',
)

TRANSFORMS = ("half_pixel", "pytorch_half_pixel", "asymmetric", "align_corners", "half_pixel_symmetric")


@pytest.mark.parametrize("attributes", DOUBLING)
@pytest.mark.parametrize("inputs", ["float[1,2,3,4] x", "float[N,2,H,W] x"])
def test_doubling_is_a_view(attributes: str, inputs: str) -> None:
    model = parsed(resized(inputs, [1.0, 1.0, 2.0, 2.0], attributes))
    assert {v.kind for v in load(model).graph.order()} == {"source", "view"}
    x = np.arange(24, dtype=np.float32).reshape(1, 2, 3, 4)
    (y,) = outputs(model, x)
    np.testing.assert_array_equal(y, x.repeat(2, 2).repeat(2, 3))


def test_sizes_are_expressions() -> None:
    inputs = "float[N,2,H,W] x"
    assert shapes(parsed(resized(inputs, [1.0, 1.0, 2.0, 3.0], 'mode = "linear"')))[0] == "N,2,2*H,3*W"
    assert (
        shapes(parsed(resized(inputs, [1.0, 1.0, 0.5, 1.5], 'mode = "linear"')))[0]
        == "N,2,floordiv(H, 2),floordiv(W, 2)+W"
    )


@pytest.mark.parametrize("mode", ["nearest", "linear", "cubic"])
def test_known_sizes_give_constant_tables(mode: str) -> None:
    model = parsed(resized("float[1,2,30,40] x", [1.0, 1.0, 0.7, 0.7], f'mode = "{mode}"'))
    order = load(model).graph.order()
    tables = [v for v in order if v.prim == "gather"]
    assert tables
    assert all(v.args[1].is_numeric_const for v in tables)
    assert not [v for v in order if v.prim in ("iota", "floor", "ceil", "cast")]


@pytest.mark.parametrize("mode", ["nearest", "linear", "cubic"])
@pytest.mark.parametrize("transform", TRANSFORMS)
def test_unknown_sizes_agree_with_known_ones(mode: str, transform: str) -> None:
    x = np.random.default_rng(0).standard_normal((1, 2, 7, 5)).astype(np.float32)
    attributes = f'mode = "{mode}", coordinate_transformation_mode = "{transform}"'
    known, free = (
        outputs(parsed(resized(f"float[{sizes}] x", [1.0, 1.0, 1.3, 0.6], attributes)), x)[0]
        for sizes in ("1,2,7,5", "N,C,H,W")
    )
    np.testing.assert_array_equal(known, free)


def test_sizes_may_be_computed_while_running() -> None:
    model = parsed("""g (float[1,1,2,2] x, int64[4] n) => (float[?] y) {
        y = Resize<mode = "nearest">(x, , , n)
    }""")
    x = np.array([[[[1, 2], [3, 4]]]], np.float32)
    (y,) = outputs(model, x, np.array([1, 1, 4, 6]))
    np.testing.assert_array_equal(y, x.repeat(2, 2).repeat(3, 3))


PAIRS = ((26, 64), (14, 2), (14, 32), (20, 12), (7, 39), (28, 16), (3, 11), (27, 30), (9, 1), (1, 9))


@pytest.mark.parametrize("rounding", ROUNDINGS)
@pytest.mark.parametrize("transform", TRANSFORMS)
@pytest.mark.parametrize("declared", [True, False])
def test_ties_and_whole_places_are_exact_where_sizes_are_given(
    transform: str, rounding: str, declared: bool
) -> None:
    how = f'coordinate_transformation_mode = "{transform}", nearest_mode = "{rounding}"'
    for n, out in PAIRS:
        size, x = n if declared else "W", np.arange(n, dtype=np.float32).reshape(1, n)
        call = f'y = Resize<mode = "nearest", {how}>(x, , , s)'
        model = parsed(f"g (float[1,{size}] x, int64[2] s) => (float[?] y) {{ {call} }}")
        (y,) = outputs(model, x, np.array([1, out]))
        assert y[0].tolist() == nearest(n, out, transform, rounding), (n, out)


@pytest.mark.parametrize("rounding", ROUNDINGS)
@pytest.mark.parametrize("policy", ["not_larger", "not_smaller"])
def test_a_kept_aspect_ratio_is_one_of_sizes(policy: str, rounding: str) -> None:
    sizes = (64, 64) if policy == "not_larger" else (64, 2)
    how = f'nearest_mode = "{rounding}", keep_aspect_ratio_policy = "{policy}"'
    (y,) = outputs(
        parsed(f"""g (float[26,13] x) => (float[?] y) {{ s = Constant<value_ints = {list(sizes)}>()
            y = Resize<coordinate_transformation_mode = "asymmetric", {how}>(x, , , s) }}"""),
        x := np.arange(26 * 13, dtype=np.float32).reshape(26, 13),
    )
    rows, columns = (nearest(n, out, "asymmetric", rounding) for n, out in ((26, 64), (13, 32)))
    np.testing.assert_array_equal(y, x[rows][:, columns])


def test_scales_round_the_product_to_single_precision() -> None:
    """Ten times the float nearest to 0.7 is 6.99999988 exactly and 7 in single precision."""
    for size in ("10", "H"):
        model = parsed(resized(f"float[1,1,{size},1] x", [1.0, 1.0, 0.7, 1.0], 'mode = "linear"'))
        (y,) = outputs(model, np.zeros((1, 1, 10, 1), np.float32))
        assert y.shape == (1, 1, 7, 1)


REGION = (np.float32(0.1), np.float32(0.8))


@pytest.mark.parametrize("rounding", ROUNDINGS)
@pytest.mark.parametrize("inputs", ["float[17,5,9] x", "float[A,B,C] x"])
@pytest.mark.parametrize("sizes", [(17, 6, 1), (33, 5, 4), (9, 2, 8)])
def test_places_in_a_region_are_those_of_its_numbers(
    rounding: str, inputs: str, sizes: tuple[int, ...]
) -> None:
    text = f"""g ({inputs}, float[6] roi, int64[3] z) => (float[?] y) {{ y = Resize<mode = "nearest",
        coordinate_transformation_mode = "tf_crop_and_resize", nearest_mode = "{rounding}">(x, roi, , z) }}"""
    x = np.arange(17 * 5 * 9, dtype=np.float32).reshape(17, 5, 9)
    (y,) = outputs(parsed(text), x, np.repeat(REGION, 3), np.array(sizes))
    rows = [cropped(n, out, rounding, *map(float, REGION)) for n, out in zip(x.shape, sizes, strict=True)]
    np.testing.assert_array_equal(y, x[np.ix_(*rows)])


@pytest.mark.parametrize("mode", ["nearest", "linear", "cubic"])
def test_the_end_of_a_region_that_ends_with_the_axis_is_not_outside(mode: str) -> None:
    text = f"""g (float[N] x, float[2] roi, int64[1] z) => (float[?] y) {{ y = Resize<mode = "{mode}",
        coordinate_transformation_mode = "tf_crop_and_resize", extrapolation_value = -9.0>(x, roi, , z) }}"""
    model = parsed(text)
    for n in range(2, 40):
        x = np.arange(n, dtype=np.float32)
        (y,) = outputs(model, x, np.float32([0.1, 1]), np.array([n + 3]))
        np.testing.assert_allclose(y[-1], n - 1, rtol=1e-5)


@pytest.mark.parametrize("keep, width", [("stretch", 1), ("not_larger", 5)])
@pytest.mark.parametrize("transform, place", [("pytorch_half_pixel", 0.0), ("tf_crop_and_resize", 2.0)])
def test_one_element_is_read_where_the_text_says(keep: str, width: int, transform: str, place: float) -> None:
    """Also where the size is rounded: a quarter of 5."""
    model = parsed(f"""g (float[4, 5] x, int64[2] n) => (float[?] y) {{
        roi = Constant<value_floats = [0.25, 0.25, 0.75, 0.75]>()
        y = Resize<mode = "cubic", coordinate_transformation_mode = "{transform}", axes = [0, 1],
            keep_aspect_ratio_policy = "{keep}">(x, roi, , n)
    }}""")
    x = np.arange(5, dtype=np.float32)[None].repeat(4, 0)
    (y,) = outputs(model, x, np.array([1, width]))
    assert y.ravel().tolist() == pytest.approx([place])
