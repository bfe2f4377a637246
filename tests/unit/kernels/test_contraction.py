"""A contraction as a call: words not given are 0, those of an epilogue follow, storages are named once."""

from __future__ import annotations

from sardonyx.base import dtype as dt
from sardonyx.ir.place import Storage
from sardonyx.kernels.arguments import Gemm
from sardonyx.kernels.call import Address, Entry, NativeCall
from sardonyx.kernels.contraction import Contraction, EndWords
from sardonyx.loops.nest import Affine, Axis, Buffer, Kernel, Load, Store

A, C, BIAS = (Storage("arena", dt.F32, 64) for _ in range(3))
ROW, COLUMN = Axis("row", 4), Axis("column", 16)


def epilogue() -> Kernel:
    """C = bias, whatever the tile is."""
    at = Affine(0, ((ROW, 16), (COLUMN, 1)))
    read = Load(Buffer("bias", dt.F32, "in", BIAS), Affine(0, ((COLUMN, 1),)), dt.F32)
    return Kernel("end", (ROW, COLUMN), (Store(Buffer("c", dt.F32, "out", C), at, (), read),), ("node",))


def call(end: EndWords) -> NativeCall:
    made = Contraction(Gemm, {Gemm.A: Address(A), Gemm.M: 4}, end, epilogue(), (A, A))
    return made.call("sdx_gemm_f32", "gemm", work=8, scratch_bytes=0, arithmetic="fma", plan="4 x 16")


def test_words_follow_their_numbers() -> None:
    made = call(EndWords({Gemm.EPILOGUE: Entry("end")}, (7, 9), {"end": "ir"}))
    assert made.words[Gemm.M] == 4
    assert made.words[Gemm.EPILOGUE] == Entry("end")
    assert made.words[Gemm.N] == 0
    assert made.words[Gemm.EPILOGUE_WORDS :] == (7, 9)


def test_reads_and_writes() -> None:
    made = call(EndWords({}))
    assert (made.reads, made.writes, made.origins) == ((A, BIAS), (C,), ("node",))


def test_the_plan_tells_where_the_end_is_computed() -> None:
    assert EndWords({}).plan == "in registers"
    assert EndWords({}, (), {"end": "ir"}).plan == "per tile"
