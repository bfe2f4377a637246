"""Rows of bytes around a centre: with their entries they are what came, and each part fits sums of pairs."""

from __future__ import annotations

import numpy as np
import pytest

from sardonyx.base.policy import Goal
from sardonyx.kernels.outliers.rows import (
    ENTRY_BYTES,
    ENTRY_ROWS_AT,
    FACTS_BYTES,
    TERMS_AT,
    Facts,
    define_rows,
)
from sardonyx.targets.x86_64 import isa
from tests.unit.kernels.native import guarded
from tests.unit.kernels.outliers.numbers import KINDS, numbers
from tests.unit.kernels.tiles.made import Made

TILE = Goal(isa.V3).tile("i8pairs")


@pytest.mark.parametrize("kind", KINDS)
def test_rows_are_what_is_kept_and_entries_that_fit_sums_of_pairs(
    kind: str, rng: np.random.Generator
) -> None:
    rows, steps = 5, 203
    a = guarded(numbers(rng, kind, rows, 4 * steps))
    pitch = -(-4 * steps // 64) * 64 + 64
    tile = np.zeros(FACTS_BYTES + 10 * pitch, np.uint8)
    made = Made(lambda module: define_rows(module, isa.V3.lanes, TILE.instruction))
    made.call(made.names, tile, a, rows, 4 * steps, steps, pitch)
    count, centre = (int(tile[:16].view(np.int64)[fact]) for fact in (Facts.ENTRIES, Facts.CENTRE))
    total = a.sum(1, dtype=np.int64)
    assert np.array_equal(tile[TERMS_AT:][: 4 * rows].view(np.int32), 128 * (total - 4 * steps * centre))
    data = tile[FACTS_BYTES:]
    if kind in ("every", "ends"):
        assert (count, centre) == (-1, 0)
        planes = data[: 10 * pitch].reshape(rows, 2, pitch)[..., : 4 * steps].view(np.uint16)
        assert np.array_equal(planes[:, 0], a[:, 0::2])
        assert np.array_equal(planes[:, 1], a[:, 1::2])
        return
    assert 0 <= count <= 2 * (steps // 4)
    assert (count == 0) == (kind in ("none", "most")) or kind == "few"
    parts = [data[: rows * pitch].reshape(rows, pitch)[:, : 4 * steps].view(np.int8).astype(np.int64)]
    entries = data[5 * pitch :][: count * ENTRY_BYTES].reshape(count, ENTRY_BYTES)
    for entry in entries:
        part = np.zeros((rows, steps, 4), np.int64)
        part[:, entry[:8].view(np.int64)[0]] = (
            entry[ENTRY_ROWS_AT:].view(np.int8)[: 4 * rows].reshape(rows, 4)
        )
        parts.append(part.reshape(rows, -1))
    assert np.array_equal(sum(parts), a.astype(np.int64) - centre)
    for part in parts:
        pairs = part.reshape(rows, -1, 2)
        assert pairs.clip(0).sum(2).max() <= 128
        assert pairs.clip(None, 0).sum(2).min() >= -128
