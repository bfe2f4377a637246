"""Which products have seven multiplications: where weights may be summed, where it pays, as the user says."""

from __future__ import annotations

import numpy as np
import pytest

from sardonyx.base import dim as dims
from sardonyx.base import dtype as dt
from sardonyx.base.dataclass import replace
from sardonyx.base.policy import Goal, Policy
from sardonyx.ir.value import Value, const, placeholder
from sardonyx.kernels.strassen.choose import balanced_levels, least_sizes, levels
from sardonyx.kernels.tiles.shape import TileShape
from sardonyx.targets.x86_64 import isa

V4, V3 = (replace(target, matrices=(), unit_lanes=8) for target in isa.TARGETS)
M = dims.symbol("m", 1)
SHAPE = TileShape.of(Goal(V4), "f32")


def weights(k: int = 384, n: int = 384) -> np.ndarray:
    return np.random.default_rng(0).standard_normal((k, n)).astype(np.float32)


def product(w: np.ndarray) -> Value:
    shape = (*w.shape[:-2], M, w.shape[-2])
    return placeholder("a", dt.by_numpy(w.dtype), shape).dot(const(w))


def goal(strassen: str = "auto", precision: str = "fp32", target: isa.Target = V4) -> Goal:
    return Goal(target, Policy(precision, strassen=strassen))


@pytest.mark.parametrize("target", [V4, V3], ids=lambda t: t.name)
def test_large_products_with_constant_weights(target: isa.Target) -> None:
    assert levels(product(weights()), goal(target=target))
    assert levels(product(weights()[None]), goal(target=target)), "an axis of one matrix is none"
    assert not levels(product(weights(n=352)), goal(target=target))
    assert not levels(product(weights(k=352)), goal(target=target))


def test_sums_pay_where_units_are_known() -> None:
    unknown = replace(V4, unit_lanes=0)
    assert not levels(product(weights()), goal(target=unknown))
    assert levels(product(weights()), goal("on", target=unknown))


@pytest.mark.parametrize(("weight_bytes", "twice"), [(1 << 30, 1), ((1 << 30) + 1, 0)])
def test_weights_of_a_large_model_are_kept_once(weight_bytes: int, twice: int) -> None:
    assert bool(levels(product(weights()), goal().over(weight_bytes))) == twice
    assert levels(product(weights()), goal("on").over(weight_bytes))


def test_the_user_overrules_sizes_and_rows() -> None:
    small = product(weights(32, 64))
    assert [levels(small, goal(how)) for how in ("auto", "off", "on")] == [0, 0, 1]
    assert not levels(product(weights()), goal("off"))
    on, auto = least_sizes(goal("on")), least_sizes(goal())
    assert (on.rows, on.rows_twice, on.columns) < (auto.rows, auto.rows_twice, auto.columns)


@pytest.mark.parametrize("strassen", ["auto", "on"])
def test_strict_is_never_summed(strassen: str) -> None:
    assert not levels(product(weights()), goal(strassen, "strict"))
    assert levels(product(weights()), goal(strassen, "bf16"))


def test_matrix_registers_come_first() -> None:
    (target,) = (t for t in isa.TARGETS if t.matrices)
    with_all = isa.with_features(target, target.matrices[0].features)
    assert not levels(product(weights()), goal(target=with_all))


@pytest.mark.parametrize(
    "w",
    [
        weights(0),
        weights(400),
        weights(n=48),
        weights().astype(np.float64),
        np.stack([weights()] * 2),
        np.rint(weights()),
        np.zeros((384, 384), np.float32),
    ],
    ids=["nothing to sum", "half of a vector", "one panel", "double", "batches", "whole numbers", "zeros"],
)
def test_others_are_multiplied_as_they_are(w: np.ndarray) -> None:
    assert not levels(product(w), goal("on"))


def test_fed_weights_are_multiplied_as_they_are() -> None:
    fed = placeholder("a", dt.F32, (M, 384)).dot(placeholder("b", dt.F32, (384, 384)))
    assert not levels(fed, goal("on"))


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan, 1e25])
def test_weights_that_cannot_be_summed(value: float) -> None:
    w = weights()
    w[3, 5] = value
    assert not balanced_levels(w, SHAPE)


def test_weights_of_very_different_size_are_not_summed() -> None:
    w = weights()
    assert balanced_levels(w, SHAPE)
    column, half = w.copy(), w.copy()
    column[:, 7] *= 100
    half[:192] *= 100
    dead = w.copy()
    dead[:, 9] = 0
    assert not balanced_levels(column, SHAPE)
    assert not balanced_levels(half, SHAPE)
    assert not balanced_levels(dead, SHAPE)
    row = w.copy()
    row[11] *= 3
    assert balanced_levels(row, SHAPE)


@pytest.mark.parametrize("factor", [0, 0.01, 100])
def test_a_row_of_very_different_size_is_not_summed(factor: float) -> None:
    w = weights()
    w[11] *= factor
    assert not balanced_levels(w, SHAPE), (
        "operands that consist of such a row, or of its partner, would lose digits"
    )


def test_small_rows_beside_each_other_are_not_summed() -> None:
    w = weights()
    w[[11, 11 + len(w) // 2]] *= 0.01
    assert not balanced_levels(w, SHAPE), "the partners are alike, but all others are larger"


def test_what_is_behind_the_last_pair_of_panels_does_not_matter() -> None:
    w = weights(n=400)
    w[:, 390] = 0
    assert balanced_levels(w, SHAPE)


@pytest.mark.parametrize("target", [V4, V3], ids=lambda t: t.name)
def test_twice_where_quarters_are_whole_vectors_of_panels(target: isa.Target) -> None:
    shape = TileShape.of(Goal(target), "f32")
    k, n = 8 * shape.lanes, 4 * shape.columns
    assert balanced_levels(weights(k, n), shape) == 2
    assert balanced_levels(weights(k - 2 * shape.lanes, n), shape) == 1
    assert balanced_levels(weights(k, n - 1), shape) == 1


def test_what_differs_from_the_next_two_panels_or_quarters_is_summed_once() -> None:
    w = weights()
    assert balanced_levels(w, SHAPE) == 2
    panels, quarters = w.copy(), w.copy()
    panels[:, :64] *= 100
    quarters[:96] *= 5
    quarters[192:288] *= 5
    assert balanced_levels(panels, SHAPE) == 1
    assert balanced_levels(quarters, SHAPE) == 1


def test_an_exact_product_is_none() -> None:
    a, b = product(weights()).args
    assert levels(a.dot(b), Goal(V4)) > 0
    assert levels(a.dot(b, exact=True), Goal(V4)) == 0
