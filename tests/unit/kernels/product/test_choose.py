"""Matrix registers serve large products of constant weights, where machine and policy have them."""

from __future__ import annotations

import numpy as np
import pytest

from sardonyx.base import dtype as dt
from sardonyx.base.dim import Dim, symbol
from sardonyx.base.knobs import PRECISIONS
from sardonyx.base.policy import Goal, Policy
from sardonyx.ir.value import Value, const, make, placeholder
from sardonyx.kernels.product.choose import LEAST_OF_FEW_BITS, chosen, chosen_blockwise
from sardonyx.targets.x86_64 import isa

AMX = isa.with_features(isa.V4, isa.V4.matrices[0].features)


def product(m: Dim, k: int, n: int, worst: float = 1.0) -> Value:
    weights = np.full((k, n), 0.5, np.float32)
    weights[0, 0] = worst
    return placeholder("x", dt.F32, (m, k)).dot(const(weights))


@pytest.mark.parametrize(("precision", "name"), [("fp32", "bf16x3"), ("bf16", "bf16"), ("strict", None)])
def test_precision_decides(precision: str, name: str | None) -> None:
    tile = chosen(product(128, 768, 768), Goal(AMX, Policy(precision)))
    assert (tile and tile.name) == name


def test_an_exact_product_is_off_by_no_more_than_single_sums_are() -> None:
    a, b = product(128, 768, 768).args
    tiles = {
        precision: chosen(a.dot(b, exact=True), Goal(AMX, Policy(precision))) for precision in PRECISIONS
    }
    names = {precision: tile and tile.name for precision, tile in tiles.items()}
    assert names == {"fp32": "bf16x6", "bf16": "bf16", "strict": None}


def test_what_serves_more_than_constant_weights_is_asked_for() -> None:
    names = {
        precision: [Goal(AMX, Policy(precision)).find_matrix("f32", everywhere=e) for e in (False, True)]
        for precision in ("fp32", "bf16", "strict")
    }
    found = {precision: [tile and tile.name for tile in tiles] for precision, tiles in names.items()}
    assert found == {"fp32": ["bf16x3", "bf16x6"], "bf16": ["bf16", "bf16"], "strict": [None, None]}
    assert Goal(isa.V4).find_matrix("f32", everywhere=True) is None


def test_machine_and_sizes_decide() -> None:
    goal = Goal(AMX)
    assert chosen(product(128, 768, 768), Goal(isa.V4)) is None
    assert chosen(product(symbol("M"), 768, 768), goal)
    assert chosen(product(1, 768, 768), goal) is None
    assert chosen(product(1, 768, 768), Goal(AMX, Policy("bf16")))
    assert chosen(product(128, 8, 768), goal) is None
    assert chosen(product(128, 768, 3), goal) is None


@pytest.mark.parametrize("worst", [np.inf, np.nan])
def test_weights_that_have_no_two_parts_are_left_to_vectors(worst: float) -> None:
    assert chosen(product(128, 768, 768, worst), Goal(AMX)) is None
    assert chosen(product(128, 768, 768, np.finfo(np.float32).max), Goal(AMX))


@pytest.mark.parametrize(
    ("m", "k", "n", "serves"), [(128, 64, 128, True), (1, 64, 128, False), (64, 8, 64, False)]
)
def test_of_two_operands_that_are_computed_many_rows_are_needed(m: int, k: int, n: int, serves: bool) -> None:
    a, b = placeholder("a", dt.F32, (m, k)), placeholder("b", dt.F32, (k, n))
    assert bool(chosen(a.dot(b), Goal(AMX))) == serves


@pytest.mark.parametrize(("precision", "serves"), [("fp32", False), ("bf16", True)])
def test_attention_keeps_all_bits_of_float32(precision: str, serves: bool) -> None:
    a, b = placeholder("a", dt.F32, (2, 128, 64)), placeholder("b", dt.F32, (2, 64, 128))
    assert bool(chosen(a.dot(b), Goal(AMX, Policy(precision)))) == serves


def test_sums_of_whole_numbers_stay_exact() -> None:
    weights = np.eye(64, dtype=np.float32)
    x = placeholder("x", dt.F32, (128, 64))
    assert chosen(x.dot(const(weights)), Goal(AMX)) is None
    weights[63, 63] = 0.5
    assert chosen(x.dot(const(weights)), Goal(AMX))


def test_operands_of_which_no_size_is_known_are_left_to_vectors() -> None:
    m, k, n = (symbol(name) for name in "MKN")
    for inner, serves in ((k, False), (64, True)):
        a, b = placeholder("a", dt.F32, (m, inner)), placeholder("b", dt.F32, (inner, n))
        assert bool(chosen(a.dot(b), Goal(AMX))) == serves


@pytest.mark.parametrize(("k", "serves"), [(8, False), (64, True)])
def test_weights_tell_a_size_that_the_other_operand_does_not(k: int, serves: bool) -> None:
    weights = np.random.default_rng(0).standard_normal((k, 24)).astype(np.float32)
    x = placeholder("x", dt.F32, (symbol("M"), symbol("K")))
    assert bool(chosen(x.dot(const(weights)), Goal(AMX))) == serves


def few_bits(m: Dim, k: int, scale: float) -> Value:
    blocks = const(np.full((64, k // 16), scale, np.float32))
    args = (placeholder("x", dt.F32, (m, k)), const(np.zeros((64, k // 16, 8), np.uint8)), blocks, blocks * 0)
    attrs = {"bits": 4, "block": 16, "points": ""}
    return make("dot_blockwise", args, attrs, dt.F32, (m, 64))


def test_weights_of_few_bits_are_split_for_many_rows() -> None:
    goal, least = Goal(AMX), LEAST_OF_FEW_BITS[0]
    tile = chosen_blockwise(few_bits(symbol("M"), 64, 0.3), goal)
    assert tile and tile.name == "bf16x3"
    assert chosen_blockwise(few_bits(least, 64, 0.3), goal)
    assert chosen_blockwise(few_bits(least - 1, 64, 0.3), goal) is None
    assert chosen_blockwise(few_bits(least, 16, 0.3), goal) is None
    assert chosen_blockwise(few_bits(least, 64, 2), goal) is None
    assert chosen_blockwise(few_bits(least, 64, np.inf), goal) is None
    assert chosen_blockwise(few_bits(least, 64, 0.3), Goal(isa.V4)) is None
