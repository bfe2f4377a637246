"""The register tiles of x86-64: the first row that fits element type, features and policy is taken.

A new instruction is a row here and a line in llvm/products.py. Sums, one vector of an operand, one broadcast
and, where two instructions multiply and add, one product fit 16 registers of AVX2 and 32 of AVX-512.
"""

from __future__ import annotations

from sardonyx.base.tile import RegisterTile

AVX2: tuple[RegisterTile, ...] = (
    RegisterTile("f32", "f32", rows=6, vectors=2, k_step=1, instruction="vfmadd ymm"),
    RegisterTile("f64", "f64", rows=6, vectors=2, k_step=1, instruction="vfmadd ymm"),
    RegisterTile("i8", "i32", 6, vectors=2, k_step=4, instruction="vpdpbusd ymm", features=("avxvnni",)),
    RegisterTile("i16", "i32", rows=6, vectors=2, k_step=2, instruction="vpmaddwd ymm"),
)
AVX512: tuple[RegisterTile, ...] = (
    RegisterTile("f32", "f32", rows=14, vectors=2, k_step=1, instruction="vfmadd zmm"),
    RegisterTile("f64", "f64", rows=14, vectors=2, k_step=1, instruction="vfmadd zmm"),
    RegisterTile("i8", "i32", 14, vectors=2, k_step=4, instruction="vpdpbusd zmm", features=("avx512vnni",)),
    RegisterTile("i16", "i32", rows=14, vectors=2, k_step=2, instruction="vpmaddwd zmm"),
)
