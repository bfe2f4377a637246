"""Element types: their numpy dtype, ONNX code, LLVM memory type and compute type. Pure data."""

from __future__ import annotations

from typing import Any

import numpy as np

from sardonyx.base.dataclass import dataclass


@dataclass(frozen=True, slots=True, eq=False)
class DType:
    """One element type; there is one object of each.

    `source` is the numpy type, or the name of one of `ml_dtypes`. `kind` is "f" float, "i" signed,
    "u" unsigned, "b" bool, "c" complex, "O" host object (strings, sequences). `compute` is the type in
    which native code and references calculate.
    """

    name: str
    kind: str
    bits: int
    onnx: int
    onnx_name: str
    source: Any
    compute: str

    @property
    def numpy(self) -> np.dtype[Any]:
        """Its numpy dtype; `ml_dtypes` is imported for those that numpy itself lacks."""
        if isinstance(self.source, str):
            import ml_dtypes

            return np.dtype(getattr(ml_dtypes, self.source))  # type: ignore[no-any-return]
        return self.source  # type: ignore[no-any-return]

    @property
    def size_bytes(self) -> int:
        """Bytes of one element in memory (sub-byte types are held one per byte)."""
        return max(1, self.bits // 8)

    @property
    def is_float(self) -> bool:
        """Whether this is a real floating-point type."""
        return self.kind == "f"

    @property
    def is_half(self) -> bool:
        """Whether this is float16 or bfloat16: stored so, and computed in f32."""
        return self.bits == 16 and self.kind == "f"

    @property
    def is_int(self) -> bool:
        """Whether this is a signed or unsigned integer type."""
        return self.kind in "iu"

    @property
    def is_native(self) -> bool:
        """Whether native kernels can load and store it."""
        return self.name in _NATIVE

    def __repr__(self) -> str:
        return self.name

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return by_name, (self.name,)


def _row(
    name: str, kind: str, bits: int, onnx: int, onnx_name: str, source: object, compute: str = ""
) -> DType:
    known = source if isinstance(source, str) else np.dtype(source)  # type: ignore[call-overload]
    return DType(name, kind, bits, onnx, onnx_name, known, compute or name)


F32 = _row("f32", "f", 32, 1, "float", np.float32)
U8 = _row("u8", "u", 8, 2, "uint8", np.uint8)
I8 = _row("i8", "i", 8, 3, "int8", np.int8)
U16 = _row("u16", "u", 16, 4, "uint16", np.uint16)
I16 = _row("i16", "i", 16, 5, "int16", np.int16)
I32 = _row("i32", "i", 32, 6, "int32", np.int32)
I64 = _row("i64", "i", 64, 7, "int64", np.int64)
STRING = _row("string", "O", 64, 8, "string", object)
BOOL = _row("bool", "b", 8, 9, "bool", np.bool_)
F16 = _row("f16", "f", 16, 10, "float16", np.float16, "f32")
F64 = _row("f64", "f", 64, 11, "double", np.float64)
U32 = _row("u32", "u", 32, 12, "uint32", np.uint32)
U64 = _row("u64", "u", 64, 13, "uint64", np.uint64)
C64 = _row("c64", "c", 64, 14, "complex64", np.complex64)
C128 = _row("c128", "c", 128, 15, "complex128", np.complex128)
BF16 = _row("bf16", "f", 16, 16, "bfloat16", "bfloat16", "f32")
F8E4M3FN = _row("f8e4m3fn", "f", 8, 17, "float8e4m3fn", "float8_e4m3fn", "f32")
F8E4M3FNUZ = _row("f8e4m3fnuz", "f", 8, 18, "float8e4m3fnuz", "float8_e4m3fnuz", "f32")
F8E5M2 = _row("f8e5m2", "f", 8, 19, "float8e5m2", "float8_e5m2", "f32")
F8E5M2FNUZ = _row("f8e5m2fnuz", "f", 8, 20, "float8e5m2fnuz", "float8_e5m2fnuz", "f32")
U4 = _row("u4", "u", 4, 21, "uint4", "uint4", "u8")
I4 = _row("i4", "i", 4, 22, "int4", "int4", "i8")
F4E2M1 = _row("f4e2m1", "f", 4, 23, "float4e2m1", "float4_e2m1fn", "f32")
F8E8M0 = _row("f8e8m0", "f", 8, 24, "float8e8m0", "float8_e8m0fnu", "f32")
U2 = _row("u2", "u", 2, 25, "uint2", "uint2", "u8")
I2 = _row("i2", "i", 2, 26, "int2", "int2", "i8")
OBJECT = _row("object", "O", 64, 0, "object", object)
"""A host value that is not a tensor: a sequence, an optional, a map, or the results of an operator."""

ALL: tuple[DType, ...] = (
    *(F32, U8, I8, U16, I16, I32, I64, STRING, BOOL, F16, F64, U32, U64, C64, C128, BF16),
    *(F8E4M3FN, F8E4M3FNUZ, F8E5M2, F8E5M2FNUZ, U4, I4, F4E2M1, F8E8M0, U2, I2),
)
_NATIVE = frozenset(
    {"f32", "u8", "i8", "u16", "i16", "i32", "i64", "bool", "f16", "f64", "u32", "u64", "bf16"}
)
_FIRST_OF_OTHERS = 256
"""The number of the first numpy type that another package adds."""
_BY_NAME = {d.name: d for d in (*ALL, OBJECT)}
_BY_ONNX = {d.onnx: d for d in ALL}
_BY_NUMPY = {d.numpy: d for d in ALL if d is not STRING and not isinstance(d.source, str)}


def by_name(name: str) -> DType:
    """The type of a short name such as `f32`."""
    return _BY_NAME[name]


def by_onnx(code: int) -> DType:
    """The type of a TensorProto.DataType code; KeyError if there is none."""
    return _BY_ONNX[code]


def by_numpy(dtype: np.dtype[Any]) -> DType:
    """The type of a numpy dtype (text dtypes give STRING); KeyError if there is none."""
    if dtype.kind in "OUST":
        return STRING
    if dtype.num >= _FIRST_OF_OTHERS and dtype not in _BY_NUMPY:
        _BY_NUMPY.update((d.numpy, d) for d in ALL if isinstance(d.source, str))
    return _BY_NUMPY[dtype.newbyteorder("=")]
