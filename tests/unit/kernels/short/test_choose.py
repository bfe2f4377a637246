"""Which products read weights of 24 bits: where rows may be few, and where results hardly change."""

from __future__ import annotations

import numpy as np
import pytest

from sardonyx.base import dim as dims
from sardonyx.base import dtype as dt
from sardonyx.base.dataclass import replace
from sardonyx.base.dim import Dim
from sardonyx.base.policy import Goal, Policy
from sardonyx.ir.value import Value, const, placeholder
from sardonyx.kernels.short.choose import TWO_STREAMS, chosen, is_near, most_rows, rounded
from sardonyx.targets.x86_64 import isa

BATCH, LENGTH = dims.symbol("batch", 1), dims.symbol("length", 1)


def weights(k: int = 256, n: int = 256) -> np.ndarray:
    return np.random.default_rng(0).standard_normal((k, n)).astype(np.float32)


def product(w: np.ndarray, *rows: Dim) -> Value:
    lead = (*w.shape[:-2], *(rows or (BATCH,)))
    return placeholder("a", dt.by_numpy(w.dtype), (*lead, w.shape[-2])).dot(const(w))


def is_chosen(anchor: Value, short: str = "auto", precision: str = "fp32", *, grows: bool = False) -> bool:
    rows = dims.product(anchor.args[0].shape[:-1])
    return chosen(anchor, rows, Goal(isa.V4, Policy(precision, short_weights=short), grows))


def test_known_rows() -> None:
    for rows in range(1, 8):
        assert is_chosen(product(weights(), rows)) == (rows <= 4)


def test_narrow_vectors_take_fewer_rows_in_the_same_time() -> None:
    assert [most_rows(Goal(target)) for target in (isa.V4, isa.V3)] == [4, 2]


def test_unknown_rows_are_few_if_they_are_samples_or_what_is_appended() -> None:
    assert is_chosen(product(weights(), BATCH))
    assert not is_chosen(product(weights(), BATCH, LENGTH))
    assert not is_chosen(product(weights(), 1, LENGTH))
    assert is_chosen(product(weights(), BATCH, LENGTH), grows=True)
    assert not is_chosen(product(weights(), 197 * BATCH), grows=True), "there are always many"


@pytest.mark.parametrize("feature", ["", TWO_STREAMS])
def test_weights_that_stay_in_caches_may_wait_for_a_slow_one(feature: str) -> None:
    target = replace(isa.with_features(isa.V4, [feature] if feature else []), l2_bytes=1 << 20)
    goal = Goal(target, Policy(), streams=False)
    for columns, is_large in ((1024, False), (1040, True)):
        anchor = product(weights(256, columns), BATCH)
        assert chosen(anchor, BATCH, goal) == (is_large and bool(feature))
        assert not chosen(anchor, BATCH, replace(goal, keeps_once=True))


def test_the_user_overrules_all_but_what_results_depend_on() -> None:
    small = product(weights(16, 16), BATCH, LENGTH)
    assert [is_chosen(small, how, grows=True) for how in ("auto", "off", "on")] == [False, False, True]
    assert not is_chosen(product(weights()), "off")
    assert not is_chosen(product(weights()), "on", "strict")
    assert not is_chosen(product(weights(), 5), "on")
    assert is_chosen(product(weights()), "auto", "bf16")


@pytest.mark.parametrize(("precision", "serves"), [("fp32", True), ("bf16", False)])
def test_weights_of_16_bits_on_matrix_registers_are_shorter(precision: str, serves: bool) -> None:
    target = isa.with_features(isa.V4, isa.V4.matrices[0].features)
    assert chosen(product(weights(), 1), 1, Goal(target, Policy(precision, short_weights="on"))) == serves


def test_only_constant_floats_without_batches() -> None:
    assert is_chosen(product(weights()[None], 1))
    assert not is_chosen(product(np.stack([weights()] * 2), 1), "on")
    assert not is_chosen(product(weights().astype(np.float64)), "on")
    assert not is_chosen(product(weights(0)), "on")
    fed = placeholder("a", dt.F32, (BATCH, 256)).dot(placeholder("b", dt.F32, (256, 256)))
    assert not is_chosen(fed, "on")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, np.finfo(np.float32).max])
def test_numbers_without_a_near_one_are_kept(value: float) -> None:
    w = weights()
    w[3, 7] = value
    assert not is_near(w)


@pytest.mark.parametrize("size", [1e-30, 1e30])
def test_columns_of_any_length_are_looked_at(size: float) -> None:
    w = weights()
    w[:, 7] = size
    w[:, 9] *= np.float32(size)
    column = w[:, 7].copy()
    short = rounded(column.view(np.uint32)).view(np.float32)
    assert is_near(w) == (abs(float(short[0]) / float(column[0]) - 1) <= 9e-6)


def test_denormal_columns_are_kept_and_empty_ones_are_not() -> None:
    w = weights()
    w[:, 7] *= np.float32(1e-40)
    assert not is_near(w)
    w[:, 7] = 0
    assert is_near(w)


def test_columns_that_would_change_more_than_is_promised_are_kept() -> None:
    w = weights()
    w[:, 7] = 1 + 2.0**-16 - 2.0**-23
    assert not is_near(w)
    w[:, 7] = 1 + 2.0**-15
    assert is_near(w)


def test_whole_numbers_are_rounded_only_if_that_changes_none() -> None:
    assert is_near(np.rint(weights() * 100))
    assert is_near(np.full((64, 64), 65535, np.float32))
    large = np.rint(weights() * 1e6)
    assert not is_near(large)
    large[5, 5] += 0.5
    assert is_near(large)


@pytest.mark.parametrize("k", [64, 768, 4096])
def test_what_is_chosen_is_near(k: int) -> None:
    w = weights(k, 300)
    short = rounded(w.view(np.uint32)).view(np.float32).astype(np.float64)
    change = np.sqrt(((short - w) ** 2).sum(0) / (w.astype(np.float64) ** 2).sum(0))
    assert is_near(w)
    assert is_near(np.asfortranarray(w))
    assert 3e-6 < change.max() <= 9e-6
    x = np.random.default_rng(1).standard_normal((50, k))
    assert np.sqrt(((x @ (short - w)) ** 2).mean() / ((x @ w) ** 2).mean()) < 1e-5


def test_rounding_is_to_the_nearest_and_to_even() -> None:
    bits = np.array([0, 0x7F, 0x80, 0x81, 0x180, 0x17F, 0x3F8000FF, 0x80000080, 0xBF800180], np.uint32)
    nearest = np.array([0, 0, 0, 0x100, 0x200, 0x100, 0x3F800100, 0x80000000, 0xBF800200], np.uint32)
    assert np.array_equal(rounded(bits), nearest)


def test_all_rows_of_large_weights_are_looked_at() -> None:
    w = weights(700, 300)
    w[699, 299] = np.nan
    assert not is_near(w)
    assert not is_near(np.asfortranarray(w))


def test_an_exact_product_reads_its_weights_as_they_are() -> None:
    a, b = product(weights(), 1).args
    assert is_chosen(a.dot(b))
    assert not is_chosen(a.dot(b, exact=True))
