"""The register tiles of x86-64: the first row that fits element type, features and policy is taken.

A new instruction is a row here and a step in kernels/tiles/. Sums, one vector of an operand and one broadcast
fit 16 registers of AVX2 and 32 of AVX-512.
"""

from __future__ import annotations

from sardonyx.base.tile import RegisterTile

AVX2: tuple[RegisterTile, ...] = (
    RegisterTile("f32", "f32", rows=6, vectors=2, k_step=1, instruction="vfmadd ymm"),
    RegisterTile("f64", "f64", rows=6, vectors=2, k_step=1, instruction="vfmadd ymm"),
)
AVX512: tuple[RegisterTile, ...] = (
    RegisterTile("f32", "f32", rows=14, vectors=2, k_step=1, instruction="vfmadd zmm"),
    RegisterTile("f64", "f64", rows=14, vectors=2, k_step=1, instruction="vfmadd zmm"),
)
