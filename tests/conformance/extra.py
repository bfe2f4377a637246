"""Cases for operators that ONNX's own suite leaves out; expectations follow the definition, in numpy."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import onnx

Array = npt.NDArray[Any]


class Extra(NamedTuple):
    """The shape of a case as the onnx package makes them."""

    name: str
    model: Any
    data_sets: list[tuple[list[Array], list[Array]]]


def extra_cases() -> list[Extra]:
    """All of them."""
    x = np.random.default_rng(0).normal(size=(2, 3, 8, 6)).astype(np.float32)
    rois = np.array([[0, 0, 0, 5, 7], [1, 1, 2, 4, 4], [1, 3, 3, 3, 3]], np.float32)
    return [
        _case("global_lp_pool_default", "y = GlobalLpPool(x)", [x], _global_lp_pool(x, 2)),
        _case("global_lp_pool_3", "y = GlobalLpPool<p = 3>(x)", [x], _global_lp_pool(x, 3)),
        _case(
            "max_roi_pool",
            "y = MaxRoiPool<pooled_shape = [2, 3], spatial_scale = 1.0>(x, rois)",
            [x, rois],
            _max_roi_pool(x, rois, 2, 3),
        ),
        *_sequence_cases(x),
        *_random_cases(x),
    ]


def _sequence_cases(x: Array) -> list[Extra]:
    first, last = x[:1], x[1:]
    return [
        _case(
            "concat_from_sequence",
            "s = SequenceConstruct(x, x) y = ConcatFromSequence<axis = 1>(s)",
            [x],
            np.concatenate([x, x], 1),
        ),
        _case(
            "sequence_at_and_erase",
            "s = SplitToSequence<axis = 0>(x) zero = Constant<value_int = 0>() "
            "t = SequenceErase(s, zero) y = SequenceAt(t, zero)",
            [x],
            last,
        ),
        _case(
            "optional_of_sequence",
            "s = SplitToSequence<axis = 0>(x) o = Optional(s) t = OptionalGetElement(o) "
            "zero = Constant<value_int = 0>() y = SequenceAt(t, zero)",
            [x],
            first,
        ),
    ]


def _random_cases(x: Array) -> list[Extra]:
    sure = np.array([[-1000, 0, -1000], [0, -1000, -1000]], np.float32)
    drawn = np.array([[1, 1, 1, 1], [0, 0, 0, 0]], np.int32)
    zeros = np.zeros((3, 5), np.float32)
    return [
        _case("multinomial_of_one", "y = Multinomial<sample_size = 4>(x)", [sure], drawn),
        _case("random_normal", "y = RandomNormal<shape = [3, 5]>()", [], zeros),
        _case("random_normal_like", "y = RandomNormalLike(x)", [x], np.zeros_like(x)),
        _case("random_uniform", "y = RandomUniform<shape = [3, 5]>()", [], zeros),
        _case("random_uniform_like", "y = RandomUniformLike(x)", [x], np.zeros_like(x)),
    ]


def _case(name: str, text: str, inputs: list[Array], expected: Array) -> Extra:
    declared = ", ".join(
        f"float[{', '.join(map(str, array.shape))}] {label}"
        for array, label in zip(inputs, ("x", "rois"), strict=False)
    )
    sides = ", ".join(map(str, expected.shape))
    kind = {np.dtype(np.float32): "float", np.dtype(np.int32): "int32"}[expected.dtype]
    model = onnx.parser.parse_model(
        f'<ir_version: 10, opset_import: ["" : 21]> g ({declared}) => ({kind}[{sides}] y) {{ {text} }}'
    )
    return Extra(f"test_extra_{name}", model, [(inputs, [expected])])


def _global_lp_pool(x: Array, p: int) -> Array:
    norm: Array = (np.abs(x.astype(np.float64)) ** p).sum((2, 3), keepdims=True) ** (1 / p)
    return norm.astype(np.float32)


def _max_roi_pool(x: Array, rois: Array, rows: int, columns: int) -> Array:
    """Each region, rounded to whole pixels, is cut into overlapping bins; empty ones give 0."""
    result = np.zeros((len(rois), x.shape[1], rows, columns), np.float32)
    for index, (image, *sides) in enumerate(rois):
        left, top, right, bottom = (round(float(side)) for side in sides)
        height, width = max(bottom - top + 1, 1) / rows, max(right - left + 1, 1) / columns
        for row in range(rows):
            for column in range(columns):
                y0, y1 = top + math.floor(row * height), top + math.ceil((row + 1) * height)
                x0, x1 = left + math.floor(column * width), left + math.ceil((column + 1) * width)
                cells = x[int(image), :, max(y0, 0) : y1, max(x0, 0) : x1]
                if cells.size:
                    result[index, :, row, column] = cells.max((1, 2))
    return result
