"""Instructions of x86-64 that kernels ask for: those that multiply and add, those that take floats apart."""

from __future__ import annotations

from collections.abc import Iterator

from sardonyx.base.instruction import Instruction, MultiplyAdd

_EVERY_LANE = -1
_CURRENT_ROUNDING = "i32 4"
_BETWEEN_3_4_AND_3_2 = "i32 15"
"""The mantissa as in [0.75, 1.5), NaN for negative numbers."""


def _masked(operation: str, name: str, *sources: int | str) -> Iterator[Instruction]:
    """The rows of a masked instruction for every register: all lanes are on."""
    for scalar, suffix, bits in (("float", "ps", 32), ("double", "pd", 64)):
        for register in (128, 256, 512):
            lanes = register // bits
            mask = f"i{max(8, lanes)} {_EVERY_LANE}"
            rounding = (_CURRENT_ROUNDING,) if register == 512 else ()
            intrinsic = f"llvm.x86.avx512.mask.{name}.{suffix}.{register}"
            operands = (*sources, 0, mask, *rounding)
            yield Instruction(operation, f"<{lanes} x {scalar}>", intrinsic, operands)


AVX512: tuple[Instruction, ...] = (
    *_masked("scale", "scalef", 0, 1),
    *_masked("exponent", "getexp", 0),
    *_masked("mantissa", "getmant", 0, _BETWEEN_3_4_AND_3_2),
    Instruction("pick", "<16 x float>", "llvm.x86.avx512.vpermi2var.ps.512", (0, 1, 2)),
)

VFMADD_YMM = MultiplyAdd("vfmadd ymm")
VFMADD_ZMM = MultiplyAdd("vfmadd zmm")

# Four products of unsigned bytes with signed ones.
VPDPBUSD_YMM = MultiplyAdd("vpdpbusd ymm", "llvm.x86.avx512.vpdpbusd.256", "<32 x i8>")
VPDPBUSD_ZMM = MultiplyAdd("vpdpbusd zmm", "llvm.x86.avx512.vpdpbusd.512", "<64 x i8>")

# Two products of 16 bits, which a second instruction adds; what does both, vpdpwssd, takes twice as long on
# Ice Lake.
VPMADDWD_YMM = MultiplyAdd("vpmaddwd ymm", "llvm.x86.avx2.pmadd.wd", "<16 x i16>", sum_register="x")
VPMADDWD_ZMM = MultiplyAdd("vpmaddwd zmm", "llvm.x86.avx512.pmaddw.d.512", "<32 x i16>", sum_register="v")
