"""Instructions of x86-64 that kernels ask for: those that multiply and add, those that take floats apart."""

from __future__ import annotations

from collections.abc import Iterator

from sardonyx.base.dataclass import replace
from sardonyx.base.instruction import Instruction, MatrixMultiply, MultiplyAdd

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
    Instruction("permute", "<16 x float>", "llvm.x86.avx512.permvar.sf.512", (0, 1)),
    Instruction("permute within 16", "<64 x i8>", "llvm.x86.avx512.pshuf.b.512", (0, 1)),
)

VBMI: tuple[Instruction, ...] = (
    Instruction("pick", "<64 x i8>", "llvm.x86.avx512.vpermi2var.qi.512", (0, 1, 2)),
    Instruction("permute", "<64 x i8>", "llvm.x86.avx512.permvar.qi.512", (0, 1)),
)

ROUND_BF16 = Instruction("round_bf16", "<16 x float>", "llvm.x86.avx512bf16.cvtneps2bf16.512", (0,))
"""To the nearest numbers of bfloat16; what is not normal counts as zero."""

AVX2: tuple[Instruction, ...] = (
    Instruction("permute", "<8 x float>", "llvm.x86.avx2.permps", (0, 1)),
    Instruction("permute within 16", "<32 x i8>", "llvm.x86.avx2.pshuf.b", (0, 1)),
)

VFMADD_YMM = MultiplyAdd("vfmadd ymm")
VFMADD_ZMM = MultiplyAdd("vfmadd zmm")

# Two products of bfloat16; what is not normal counts as zero.
VDPBF16PS_ZMM = MultiplyAdd("vdpbf16ps zmm", "llvm.x86.avx512bf16.dpbf16ps.512", "<32 x bfloat>")

# Four products of unsigned bytes with signed ones.
VPDPBUSD_YMM = MultiplyAdd("vpdpbusd ymm", "llvm.x86.avx512.vpdpbusd.256", "<32 x i8>")
VPDPBUSD_ZMM = MultiplyAdd("vpdpbusd zmm", "llvm.x86.avx512.vpdpbusd.512", "<64 x i8>")

# Two products of 16 bits, and what adds them too: AMD's take as long for both as for the products alone.
VPDPWSSD_ZMM = MultiplyAdd("vpdpwssd zmm", "llvm.x86.avx512.vpdpwssd.512", "<32 x i16>")

# Two products of 16 bits, which a second instruction adds; what does both takes twice as long on Ice Lake.
VPMADDWD_YMM = MultiplyAdd("vpmaddwd ymm", "llvm.x86.avx2.pmadd.wd", "<16 x i16>", sum_register="x")
# Four products of unsigned bytes with signed ones, in two sums of 16 bits that saturate.
VPMADDUBSW_YMM_ALONE = MultiplyAdd(
    *("vpmaddubsw ymm", "llvm.x86.avx2.pmadd.ub.sw", "<32 x i8>"),
    sum_register="x",
    widen="llvm.x86.avx2.pmadd.wd",
)
VPMADDUBSW_YMM = replace(VPMADDUBSW_YMM_ALONE, steps=2)
VPMADDWD_ZMM = MultiplyAdd("vpmaddwd zmm", "llvm.x86.avx512.pmaddw.d.512", "<32 x i16>", sum_register="v")


def _on_tiles(name: str, narrow: str = "") -> MatrixMultiply:
    """An instruction of AMX on eight registers of 16 rows of 64 bytes."""
    palette, columns, rows = 1, b"".join((64).to_bytes(2, "little") for _ in range(8)), bytes([16] * 8)
    configuration = bytes([palette]).ljust(16, b"\0") + columns.ljust(32, b"\0") + rows.ljust(16, b"\0")
    return MatrixMultiply(
        name,
        multiply=f"llvm.x86.{name}",
        configure="llvm.x86.ldtilecfg",
        configuration=configuration,
        row_bytes_at=16,
        rows_at=48,
        release="llvm.x86.tilerelease",
        zero="llvm.x86.tilezero",
        load="llvm.x86.tileloadd64",
        store="llvm.x86.tilestored64",
        narrow=narrow,
    )


TDPBF16PS = _on_tiles("tdpbf16ps", "llvm.x86.avx512bf16.cvtne2ps2bf16.512")
TDPBUSD = _on_tiles("tdpbusd")
TDPBSSD = _on_tiles("tdpbssd")
