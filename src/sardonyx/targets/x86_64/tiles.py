"""The register tiles of x86-64: the first row that fits element type, features and policy is taken.

A new instruction is a row here and one in instructions.py. Sums, one vector of an operand, one broadcast and,
where two instructions multiply and add, one product fit 16 registers of AVX2 and 32 of AVX-512. Products of
bytes are summed in 16 bits first, of two steps at a time: twice the operands, and ones. 255 * 128 fits.
Larger weights are summed in pairs: three instructions for four numbers, where those of 16 bits take four.
The registers of AMX hold 16 rows of 64 bytes; two by two of sums, two of A and two of B are all eight.
"""

from __future__ import annotations

from sardonyx.base.tile import MatrixTile, RegisterTile
from sardonyx.targets.x86_64 import instructions as of

_PAIRS = ("avx512vnni", "fast-dpwssd")

AVX2: tuple[RegisterTile, ...] = (
    RegisterTile("f32", "f32", rows=6, vectors=2, k_step=1, instruction=of.VFMADD_YMM),
    RegisterTile("f64", "f64", rows=6, vectors=2, k_step=1, instruction=of.VFMADD_YMM),
    RegisterTile("i8", "i32", 6, vectors=2, k_step=4, instruction=of.VPDPBUSD_YMM, features=("avxvnni",)),
    RegisterTile("i8", "i32", rows=3, vectors=2, k_step=4, instruction=of.VPMADDUBSW_YMM, limit=128),
    RegisterTile(
        "i8pairs", "i32", rows=5, vectors=2, k_step=4, instruction=of.VPMADDUBSW_YMM_ALONE, limit=128
    ),
    RegisterTile("i16", "i32", rows=6, vectors=2, k_step=2, instruction=of.VPMADDWD_YMM),
)
AVX512: tuple[RegisterTile, ...] = (
    RegisterTile("f32", "f32", rows=14, vectors=2, k_step=1, instruction=of.VFMADD_ZMM),
    RegisterTile("f64", "f64", rows=14, vectors=2, k_step=1, instruction=of.VFMADD_ZMM),
    RegisterTile("f24", "f32", 14, 2, 1, of.VFMADD_ZMM, precisions=("fp32", "bf16")),
    RegisterTile("bf16", "f32", 14, 2, 2, of.VDPBF16PS_ZMM, ("avx512bf16",), precisions=("bf16",)),
    RegisterTile("i8", "i32", 14, vectors=2, k_step=4, instruction=of.VPDPBUSD_ZMM, features=("avx512vnni",)),
    RegisterTile("i16", "i32", 14, vectors=2, k_step=2, instruction=of.VPDPWSSD_ZMM, features=_PAIRS),
    RegisterTile("i16", "i32", rows=14, vectors=2, k_step=2, instruction=of.VPMADDWD_ZMM),
)

_BF16 = ("amx-tile", "amx-bf16", "avx512bf16")
_I8 = ("avx512vnni", "amx-tile", "amx-int8")
_EVERY = ("fp32", "strict", "bf16")
AMX: tuple[MatrixTile, ...] = (
    MatrixTile("f32", "bf16", "f32", 1, 16, 64, of.TDPBF16PS, _BF16, precisions=("bf16",)),
    MatrixTile("f32", "bf16", "f32", 3, 16, 64, of.TDPBF16PS, _BF16, precisions=("fp32",), everywhere=False),
    MatrixTile("f32", "bf16", "f32", 6, 16, 64, of.TDPBF16PS, _BF16, precisions=("fp32",)),
    MatrixTile("i8", "u8s8", "i32", 1, 16, 64, of.TDPBUSD, _I8, precisions=_EVERY),
    MatrixTile("fixed24", "s8", "i32", 6, 16, 64, of.TDPBSSD, _I8, precisions=("fp32",)),
)
