"""Matrix registers serve dense convolutions of blocked input with channels enough, where they are faster."""

from __future__ import annotations

import numpy as np
import pytest

from sardonyx.base import dtype as dt
from sardonyx.base.policy import Goal, Policy
from sardonyx.ir.value import Value, const, make, placeholder
from sardonyx.kernels.convolution.choose import chosen
from sardonyx.targets.x86_64 import isa

AMX = isa.with_features(isa.V4, isa.V4.matrices[0].features)


def convolution(
    shape: tuple[int, int, int, int], number: float = 0.3, height: int = 20, **attributes: object
) -> Value:
    """A convolution of blocked samples with these weights."""
    outputs, channels, *_ = shape
    at = {"strides": (1, 1), "dilations": (1, 1), "group": 1, **attributes}
    x = placeholder("x", dt.F32, (1, -(-channels * at["group"] // 16), height, 20, 16))  # type: ignore[operator]
    return make(
        "conv_blocked",
        (x, const(np.full(shape, number, np.float32))),
        at,
        dt.F32,
        (1, -(-outputs // 16), max(height - 2, 1), 18, 16),
    )


@pytest.mark.parametrize(
    ("shape", "attributes", "precision", "name"),
    [
        ((256, 256, 3, 3), {}, "fp32", "bf16x3"),
        ((256, 256, 3, 3), {}, "bf16", "bf16"),
        ((256, 256, 3, 3), {}, "strict", None),
        ((64, 64, 3, 3), {}, "fp32", None),
        ((64, 64, 3, 3), {}, "bf16", "bf16"),
        ((64, 64, 1, 1), {}, "fp32", "bf16x3"),
        ((64, 16, 1, 1), {}, "fp32", None),
        ((64, 32, 3, 3), {"group": 2}, "bf16", None),
        ((64, 64, 3, 3), {"dilations": (2, 1)}, "bf16", None),
        ((64, 64, 3, 3), {"dilations": (1, 2)}, "bf16", "bf16"),
    ],
)
def test_choice(
    shape: tuple[int, int, int, int], attributes: dict[str, object], precision: str, name: str | None
) -> None:
    by_transforms = attributes == {} and shape[2:] == (3, 3)
    tile = chosen(convolution(shape, **attributes), Goal(AMX, Policy(precision)), transformed=by_transforms)
    assert (tile.name if tile else None) == name


def test_whole_numbers_and_infinite_weights_are_left_to_vectors() -> None:
    for number in (2.0, np.inf):
        assert chosen(convolution((64, 64, 1, 1), number), Goal(AMX), transformed=False) is None
    assert chosen(convolution((64, 64, 1, 1)), Goal(isa.V4), transformed=False) is None


@pytest.mark.parametrize(("precision", "serves"), [("fp32", False), ("bf16", True)])
def test_signals_keep_all_bits_of_float32(precision: str, serves: bool) -> None:
    line = convolution((64, 64, 1, 3), height=1)
    assert bool(chosen(line, Goal(AMX, Policy(precision)), transformed=False)) == serves


def test_transforms_that_are_asked_for_are_done() -> None:
    assert chosen(convolution((256, 256, 3, 3)), Goal(AMX, Policy("fp32", "f4")), transformed=True) is None
