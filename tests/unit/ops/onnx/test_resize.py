"""Resize: views and constant tables where sizes are known, size expressions where they are not."""

from __future__ import annotations

import numpy as np
import pytest

from sardonyx.frontend import load
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
@pytest.mark.parametrize(
    "transform", ["half_pixel", "pytorch_half_pixel", "asymmetric", "align_corners", "half_pixel_symmetric"]
)
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


def test_scales_round_the_product_to_single_precision() -> None:
    """Ten times the float nearest to 0.7 is 6.99999988 exactly and 7 in single precision."""
    for size in ("10", "H"):
        model = parsed(resized(f"float[1,1,{size},1] x", [1.0, 1.0, 0.7, 1.0], 'mode = "linear"'))
        (y,) = outputs(model, np.zeros((1, 1, 10, 1), np.float32))
        assert y.shape == (1, 1, 7, 1)
