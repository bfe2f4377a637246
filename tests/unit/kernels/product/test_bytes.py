"""Rows of bytes as matrix registers read them: copied as they are, and never read beyond their end."""

from __future__ import annotations

import numpy as np
import pytest

from sardonyx.base.policy import Goal
from sardonyx.kernels.library import matrices_ir
from sardonyx.kernels.product.bytes import define_copy_rows
from sardonyx.targets.x86_64 import isa
from tests.unit.kernels.native import guarded
from tests.unit.kernels.tiles.made import Made


@pytest.mark.parametrize(("rows", "steps"), [(1, 1), (3, 16), (5, 17), (2, 40)])
def test_rows_are_copied(rows: int, steps: int, rng: np.random.Generator) -> None:
    made = Made(define_copy_rows)
    wide = guarded(rng.integers(0, 256, (rows, 4 * steps + 3)).astype(np.uint8)[:, : 4 * steps])
    pitch = -(-4 * steps // 64) * 64 + 64
    to = guarded(np.full((rows, pitch), 7, np.uint8))
    made.call(made.names, to, wide, rows, steps, pitch, wide.strides[0])
    assert np.array_equal(to[:, : 4 * steps], wide)
    assert (to[:, -64:] == 7).all()


def test_a_few_rows_are_left_to_vectors() -> None:
    (tile,) = (row for row in isa.V4.matrices if row.operand == "i8")
    text = matrices_ir(tile, Goal(isa.with_features(isa.V4, tile.features)))
    body = text.partition("define void @sdx_gemm_u8s8_i8(")[2].partition("\n}")[0]
    few, _, many = body.partition("llvm.x86.ldtilecfg")
    assert "call void @sdx_gemm_i8(" in few and "call void @gemm_block_u8s8_i8(" in many
