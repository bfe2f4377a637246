"""Moves values between memory and registers and between element types.

Decides the LLVM type of every element type in memory and in registers, and how conversions round.
Must not know kernels or loops.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from sardonyx.base import dtype as dt
from sardonyx.base.dtype import DType
from sardonyx.base.target import Target
from sardonyx.llvm.lanes import Lanes
from sardonyx.llvm.types import mangle, vector_of
from sardonyx.llvm.vec import Function, V, float_, int_

_MEMORY = {dt.F32: "float", dt.F64: "double", dt.F16: "half", dt.BF16: "i16", dt.BOOL: "i8"}
_COMPUTE = {dt.F32: "float", dt.F64: "double", dt.F16: "float", dt.BF16: "float", dt.BOOL: "i1"}


def memory_type(dtype: DType) -> str:
    """The LLVM scalar of an element in memory: bfloat16 is `i16`, bool is `i8` with 0 or 1."""
    return _MEMORY.get(dtype) or f"i{dtype.bits}"


def compute_type(dtype: DType) -> str:
    """The LLVM scalar of an element in registers: half types are `float`, bool is `i1`."""
    return _COMPUTE.get(dtype) or f"i{dtype.bits}"


def from_memory(f: Function, value: V, dtype: DType) -> V:
    """A loaded scalar or vector as compute type."""
    if dtype is dt.F16:
        return f.convert("fpext", value, "float")
    if dtype is dt.BF16:
        wide = Lanes(f, f.convert("zext", value, "i32")) << 16
        return wide.bits("float").v
    if dtype is dt.BOOL:
        return f.icmp("ne", value, int_(0, value.type))
    return value


def to_memory(f: Function, value: V, dtype: DType, target: Target) -> V:
    """A compute value as it is stored; half types round to nearest even, NaN stays NaN.

    Integers round to bfloat16, but where a target may use an instruction, which flushes denormals.
    """
    if dtype is dt.F16:
        return f.convert("fptrunc", value, "half")
    if dtype is dt.BF16 and (by := target.instruction("round_bf16", value.type)):
        return f.bitcast(
            f.call(by.name, vector_of("bfloat", value.lanes), value), vector_of("i16", value.lanes)
        )
    if dtype is dt.BF16:
        return f.convert("trunc", _rounded_bf16(Lanes(f, value)).shift_right(16).v, "i16")
    if dtype is dt.BOOL:
        return f.convert("zext", value, "i8")
    return value


def _rounded_bf16(x: Lanes) -> Lanes:
    """The i32 pattern whose upper half is x in bfloat16; the lower half is not cleared."""
    raw = x.bits("i32")
    up = raw + 0x7FFF + (raw.shift_right(16) & 1)
    return x.is_nan().choose(raw | 0x400000, up)


def _rounded_to(f: Function, value: V, to: DType) -> V:
    """A float value rounded to a half type, still as float."""
    if to is dt.F16:
        return f.convert("fpext", f.convert("fptrunc", value, "half"), "float")
    if to is dt.BF16:
        return (_rounded_bf16(Lanes(f, value)) & 0xFFFF0000).bits("float").v
    return value


def cast(f: Function, target: Target, value: V, source: DType, to: DType) -> V:
    """Convert between compute types.

    Floats to integers truncate: to 32 bits signed and narrower by way of i32, to u32 by way of i64; what does
    not fit the way there, NaN too, is its smallest value, and narrowing wraps. To bool is `!= 0`.
    """
    del target
    if source is to:
        return value
    if to is dt.BOOL:
        return Lanes(f, value).not_zero().v
    if source.is_float:
        return _from_float(f, value, to)
    if to.is_float:
        signed = source.kind == "i"
        scalar = compute_type(to)
        return _rounded_to(f, f.convert("sitofp" if signed else "uitofp", value, scalar), to)
    return _resize(f, value, source.kind == "i", compute_type(to))


def nearest(f: Function, value: V, to: DType) -> V:
    """Single floats rounded to nearest integers of at most 32 bits, as `cast` converts what is rounded."""
    whole = vector_of("i32", value.lanes)
    name = f"llvm.lrint.{mangle(whole)}.{mangle(value.type)}"
    return _resize(f, f.call(name, whole, value), True, compute_type(to))


def _resize(f: Function, value: V, signed: bool, scalar: str) -> V:
    bits, wanted = int(value.scalar[1:]), int(scalar[1:])
    if bits < wanted:
        return f.convert("sext" if signed else "zext", value, scalar)
    return f.convert("trunc", value, scalar)


def _from_float(f: Function, value: V, to: DType) -> V:
    if to is dt.F64:
        return f.convert("fpext", value, "double")
    if to.is_float:
        if to is dt.F16 and value.scalar == "double":
            value = _rounded_to_odd(Lanes(f, value)).v
        return _rounded_to(f, f.convert("fptrunc", value, "float"), to)
    if to is dt.U64:
        return _to_u64(Lanes(f, value)).v
    wide = "i64" if to.bits == 64 or to is dt.U32 else "i32"
    return _resize(f, _truncated(f, value, wide), True, compute_type(to))


def _truncated(f: Function, value: V, scalar: str) -> V:
    # What does not fit is poison in LLVM but the smallest integer in the instruction; the freeze keeps that.
    whole = f.convert("fptosi", value, scalar)
    return f.value(whole.type, f"freeze {whole}")


def _to_u64(x: Lanes) -> Lanes:
    big = x >= 2.0**63
    low = big.choose(x - 2.0**63, x)
    whole = Lanes(x.f, _truncated(x.f, low.v, "i64"))
    return big.choose(whole ^ -(2**63), whole)


def _rounded_to_odd(x: Lanes) -> Lanes:
    """A double as float such that a second rounding to half is the rounding of the double."""
    near = Lanes(x.f, x.f.convert("fptrunc", x.v, "float"))
    back = Lanes(x.f, x.f.convert("fpext", near.v, "double"))
    raw = near.bits("i32")
    toward_zero = (back.abs() > x.abs()).choose(raw - 1, raw)
    return Lanes(x.f, x.f.fcmp("one", back.v, x.v)).choose(toward_zero | 1, raw).bits("float")


def bitcast(f: Function, target: Target, value: V, source: DType, to: DType) -> V:
    """Reinterpret the bits that the element has in memory; both types have the same size."""
    stored = to_memory(f, value, source, target)
    return from_memory(f, f.bitcast(stored, vector_of(memory_type(to), value.lanes)), to)


def literal(value: Any, dtype: DType, lanes: int = 1) -> V:
    """A constant in the compute type, the same in all lanes; floats are rounded to `dtype` first."""
    scalar = compute_type(dtype)
    if dtype is dt.F32 or dtype is dt.F64:
        return float_(float(value), vector_of(scalar, lanes))
    if dtype.is_float:
        with np.errstate(over="ignore"):
            rounded = float(np.asarray(value).astype(dtype.numpy))
        return float_(rounded, vector_of(scalar, lanes))
    if dtype is dt.BOOL:
        return int_(int(bool(value)), vector_of(scalar, lanes))
    number = int(value) & ((1 << dtype.bits) - 1)
    signed = number - (1 << dtype.bits) if number >> (dtype.bits - 1) else number
    return int_(signed, vector_of(scalar, lanes))
