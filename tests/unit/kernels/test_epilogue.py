"""An end of a contraction that is bias, residual and bounds is recognised; any other is not."""

from __future__ import annotations

import struct
from typing import Any

import pytest

from sardonyx.base import dtype as dt
from sardonyx.base.dataclass import replace
from sardonyx.ir.place import Storage
from sardonyx.kernels.arguments import ROUNDED
from sardonyx.kernels.call import Address
from sardonyx.kernels.epilogue import (
    Finish,
    channel_axes,
    epilogue_reads,
    load_address,
    match_finish,
)
from sardonyx.loops.nest import Affine, Apply, Axis, Buffer, Expr, Kernel, Literal, Load, Pick, Store, along

ROW, COLUMN = Axis("row", 8), Axis("column", 16)
AT = Affine(0, ((ROW, 16), (COLUMN, 1)))
OUT, BIAS, OTHER = (Storage(kind, dt.F32, 128) for kind in ("output", "const", "input"))
TILE = Load(Buffer("tile", dt.F32, "tile"), AT, dt.F32)
BIAS_LOAD = Load(Buffer("bias", dt.F32, "in", BIAS), Affine(3, ((COLUMN, 1),)), dt.F32)
RESIDUAL = Load(Buffer("other", dt.F32, "in", OTHER), AT, dt.F32)


def kernel(value: Expr, dtype: dt.DType = dt.F32, **changes: Any) -> Kernel:
    body = (Store(Buffer("y", dtype, "out", OUT), AT, (), value),)
    return Kernel("k", (ROW, COLUMN), changes.get("body", body), (), form="tile", vector=COLUMN)


def add(*terms: Expr) -> Expr:
    total = terms[0]
    for term in terms[1:]:
        total = Apply("add", (total, term), dt.F32)
    return total


def bounded(value: Expr, *bounds: tuple[str, float]) -> Expr:
    for prim, number in bounds:
        value = Apply(prim, (value, Literal(number, dt.F32)), dt.F32)
    return value


@pytest.mark.parametrize(
    "terms", [(TILE, BIAS_LOAD, RESIDUAL), (BIAS_LOAD, RESIDUAL, TILE), (RESIDUAL, TILE, BIAS_LOAD)]
)
def test_sums_in_any_order(terms: tuple[Expr, ...]) -> None:
    found = match_finish(kernel(bounded(add(*terms), ("max", 0.0), ("min", 6.0))))
    assert found is not None
    assert (found.bias, found.residual, found.low, found.high) == (BIAS_LOAD, RESIDUAL, 0.0, 6.0)
    fused, bias, low, high, residual, row, column = found.words(dt.F32, (ROW, COLUMN))
    assert (fused, bias, residual) == (1, Address(BIAS, 3), Address(OTHER, 0))
    assert (row, column) == (16, 1)
    assert struct.pack("<i", low) == struct.pack("<f", 0.0)  # type: ignore[arg-type]
    assert struct.pack("<i", high) == struct.pack("<f", 6.0)  # type: ignore[arg-type]


def test_a_bias_may_lie_along_axes_of_one_element() -> None:
    sample = Axis("sample", 1)
    bias = Load(BIAS_LOAD.buffer, Affine(0, ((sample, 16), (COLUMN, 1))), dt.F32)
    whole = replace(kernel(add(TILE, bias, RESIDUAL)), outer=(sample, ROW, COLUMN))
    found = match_finish(whole)
    assert found is not None
    assert (found.bias, found.residual) == (bias, RESIDUAL)


def test_of_two_rows_that_all_pixels_share_one_is_the_residual() -> None:
    other = Load(Buffer("other", dt.F32, "in", OTHER), along(COLUMN), dt.F32)
    found = match_finish(kernel(add(TILE, BIAS_LOAD, other)))
    assert found is not None
    assert (found.bias, found.residual) == (BIAS_LOAD, other)
    assert found.words(dt.F32, (ROW, COLUMN))[-2:] == [0, 1]
    assert match_finish(kernel(add(TILE, BIAS_LOAD, other, RESIDUAL))) is None


def test_a_plain_store_fuses_nothing() -> None:
    found = match_finish(kernel(TILE))
    assert found == Finish(AT, -float("inf"), float("inf"), None, None)
    assert found is not None
    assert found.words(dt.F32, ())[0] == 0


@pytest.mark.parametrize(
    "value",
    [
        Apply("exp", (TILE,), dt.F32),
        Apply("mul", (TILE, BIAS_LOAD), dt.F32),
        add(TILE, TILE),
        BIAS_LOAD,
        add(TILE, RESIDUAL, RESIDUAL),
        add(TILE, Literal(1.0, dt.F32)),
        bounded(TILE, ("max", float("nan"))),
        bounded(TILE, ("max", 6.0), ("min", 0.0)),
        add(TILE, Load(BIAS_LOAD.buffer, along(ROW), dt.F32)),
        add(TILE, Load(BIAS_LOAD.buffer, Affine(0, ((COLUMN, 2),)), dt.F32)),
        add(TILE, Load(BIAS_LOAD.buffer, along(COLUMN), dt.F32, (Pick(TILE, 1, 3),))),
    ],
)
def test_what_does_more_is_left_to_a_function(value: Expr) -> None:
    assert match_finish(kernel(value)) is None


def test_other_types_and_several_stores_are_left_too() -> None:
    assert match_finish(kernel(TILE, dt.F64)) is None, "it would have to convert"
    store = kernel(TILE).body[0]
    assert match_finish(kernel(TILE, body=(store, store))) is None


def test_blocked_channels_run_on_from_block_to_block() -> None:
    sample, block, line, pixel, lane = (Axis(n, 16 if n == "c" else 2) for n in "nblpc")
    outer = (sample, block, line, pixel, lane)
    for factor, fits in ((16, True), (1, False)):
        bias = Load(BIAS_LOAD.buffer, Affine(0, ((block, factor), (lane, 1))), dt.F32)
        body = (Store(Buffer("y", dt.F32, "out", OUT), along(lane), (), add(TILE_OF(lane), bias)),)
        blocked = Kernel("k", outer, body, (), form="tile", vector=lane)
        assert (match_finish(blocked) is not None) == fits
        assert channel_axes(blocked) == {block, lane}


def TILE_OF(lane: Axis) -> Load:  # noqa: N802
    return Load(TILE.buffer, along(lane), dt.F32)


def test_words_of_loads() -> None:
    assert load_address(None) == 0
    assert load_address(BIAS_LOAD) == Address(BIAS, 3)
    assert epilogue_reads(kernel(add(TILE, BIAS_LOAD, RESIDUAL, BIAS_LOAD))) == [BIAS, OTHER]


def test_halves_are_rounded_where_a_kernel_may() -> None:
    halves = Apply("cast", (add(TILE, BIAS_LOAD, RESIDUAL),), dt.BF16)
    found = match_finish(kernel(halves, dt.BF16), may_round=True)
    assert found is not None and found.rounded and found.bias is BIAS_LOAD and found.residual is RESIDUAL
    assert found.words(dt.F32, ())[0] == ROUNDED
    assert match_finish(kernel(halves, dt.BF16)) is None
    assert match_finish(kernel(halves, dt.F32), may_round=True) is None
    singles = Apply("cast", (TILE,), dt.F16)
    assert match_finish(kernel(singles, dt.F16), may_round=True) is None
