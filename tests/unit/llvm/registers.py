"""Matrix registers in numpy, bit for bit as AMX has them: code for them runs on any machine.

`modelled` rewrites IR text so that its instructions are calls of this model.
"""

from __future__ import annotations

import ctypes
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
LEAST_NORMAL = np.float64(np.finfo(np.float32).tiny)


def flushed(x: Array) -> Array:
    """Single floats, those that are not normal as zeros."""
    return np.where(np.abs(x) < LEAST_NORMAL, np.copysign(np.float32(0), x), x)


def rounded(x: Array) -> Array:
    """The nearest single floats, flushed."""
    with np.errstate(over="ignore", invalid="ignore"):
        return flushed(x.astype(np.float32))


def widened(halves: Array) -> Array:
    """bfloat16 bits as single floats, flushed."""
    return flushed((halves.astype(np.uint32) << 16).view(np.float32))


def tdpbf16ps(sums: Array, a: Array, b: Array) -> Array:
    """sums[16, 16] + a @ b; a[16, 32] and b[16, 32] are bfloat16 bits, b has pairs of k side by side.

    Products of even and of odd k are summed apart, both sums are added, then to the sums before.
    """
    parts = [np.zeros(sums.shape, np.float32), np.zeros(sums.shape, np.float32)]
    with np.errstate(invalid="ignore"):
        left, right = widened(a).astype(np.float64), widened(b).astype(np.float64)
        for k in range(a.shape[1] // 2):
            for odd, part in enumerate(parts):
                product = left[:, 2 * k + odd, None] * right[k, None, odd::2]
                parts[odd] = rounded(part + product)
        both = rounded(parts[0].astype(np.float64) + parts[1])
        return rounded(flushed(sums).astype(np.float64) + both)


def vdpbf16ps(sums: Array, a: Array, b: Array) -> Array:
    """sums[n] + a . b of n pairs of bfloat16 bits: the odd one's product is added first, each sum rounded."""
    with np.errstate(invalid="ignore", over="ignore"):
        left, right = widened(a).astype(np.float64), widened(b).astype(np.float64)
        total = flushed(sums)
        for number in (1, 0):
            total = rounded(total.astype(np.float64) + left[:, number] * right[:, number])
        return total


def tdpbusd(sums: Array, a: Array, b: Array) -> Array:
    """sums[16, 16] + a @ b modulo 2^32; a[16, 64] and b[16, 64] are bytes, b has four of k side by side."""
    right = b.reshape(16, 16, 4).transpose(0, 2, 1).reshape(64, 16).astype(np.int64)
    return (sums + a.astype(np.int64) @ right).astype(np.int32)


def tdpbssd(sums: Array, a: Array, b: Array) -> Array:
    """The same of signed bytes."""
    return tdpbusd(sums, a.view(np.int8), b)


def rounded_halves(x: Array) -> Array:
    """Single floats as the nearest bfloat16 bits: NaN quiet, what is not normal zero."""
    with np.errstate(invalid="ignore"):
        bits = np.ascontiguousarray(flushed(x), np.float32).view(np.uint32)
    nearest = (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16
    return np.where(np.isnan(x), bits >> 16 | 0x40, nearest).astype(np.uint16)


class Registers:
    """Eight registers of at most 16 rows of 64 bytes, and what instructions do to them."""

    def __init__(self) -> None:
        self.rows = np.zeros((8, 16, 64), np.uint8)
        self.configured = False
        self.counts = bytes([16] * 8)
        self.sizes = [64] * 8

    def ldtilecfg(self, block: int) -> None:
        """Registers that are multiplied or summed have as many rows; those of A have steps as B has rows."""
        found = bytes((ctypes.c_uint8 * 64).from_address(block))
        assert found[0] == 1
        self.counts, self.sizes = found[48:56], list(np.frombuffer(found[16:32], np.uint16))
        assert all(1 <= count <= 16 for count in self.counts)
        assert all(4 <= size <= 64 and size % 4 == 0 for size in self.sizes)
        self.rows[...], self.configured = 0, True

    def tilerelease(self) -> None:
        """No instruction follows."""
        self.configured = False

    def tilezero(self, register: int) -> None:
        assert self.configured
        self.rows[register] = 0

    def tileloadd64(self, register: int, address: int, stride: int) -> None:
        assert self.configured
        self.rows[register] = 0
        for n in range(self.counts[register]):
            row = (ctypes.c_uint8 * self.sizes[register]).from_address(address + n * stride)
            self.rows[register, n, : self.sizes[register]] = np.frombuffer(row, np.uint8)

    def tilestored64(self, register: int, address: int, stride: int) -> None:
        assert self.configured
        for n in range(self.counts[register]):
            ctypes.memmove(address + n * stride, self.rows[register, n].tobytes(), self.sizes[register])

    def tdpbf16ps(self, sums: int, a: int, b: int) -> None:
        self._check(sums, a, b)
        left, right = (self.rows[n].view(np.uint16) for n in (a, b))
        total = tdpbf16ps(self.rows[sums].view(np.float32), left, right)
        self.rows[sums] = total.view(np.uint8)
        self.rows[sums, self.counts[sums] :] = 0

    def tdpbusd(self, sums: int, a: int, b: int) -> None:
        self._check(sums, a, b)
        total = tdpbusd(self.rows[sums].view(np.int32), self.rows[a], self.rows[b].view(np.int8))
        self.rows[sums] = total.view(np.uint8)
        self.rows[sums, self.counts[sums] :] = 0

    def tdpbssd(self, sums: int, a: int, b: int) -> None:
        self._check(sums, a, b)
        total = tdpbssd(self.rows[sums].view(np.int32), self.rows[a], self.rows[b].view(np.int8))
        self.rows[sums] = total.view(np.uint8)
        self.rows[sums, self.counts[sums] :] = 0

    def _check(self, sums: int, a: int, b: int) -> None:
        """The machine refuses to multiply registers whose rows do not fit."""
        assert self.configured
        assert self.counts[sums] == self.counts[a]
        assert self.counts[b] * 4 == self.sizes[a]
        assert self.sizes[b] == self.sizes[sums] == 64

    def cvtne2ps2bf16(self, to: int, low: int, high: int) -> None:
        """Two vectors of 16 singles, at addresses, to 32 halves."""
        both = [np.frombuffer((ctypes.c_float * 16).from_address(at), np.float32) for at in (low, high)]
        ctypes.memmove(to, rounded_halves(np.concatenate(both)).tobytes(), 64)


_ARGUMENTS = {
    "ldtilecfg": "p",
    "tilerelease": "",
    "tilezero": "r",
    "tileloadd64": "rpi",
    "tilestored64": "rpi",
    "tdpbf16ps": "rrr",
    "tdpbusd": "rrr",
    "tdpbssd": "rrr",
}
_TYPES = {"p": ctypes.c_void_p, "r": ctypes.c_int8, "i": ctypes.c_int64}


def modelled(text: str, keep: list[Any], registers: Registers | None = None) -> str:
    """The text with calls of a model instead of instructions on matrix registers, which `keep` keeps alive.

    Registers of its own count as configured where the text does not do that. Rounding to bfloat16 is a call
    as well: not every machine without AMX has an instruction for it. Nothing keeps units awake: the vectors
    that do are in no register of a CPU without AVX-512, and LLVM ends the process that asks for one.
    """
    if registers is None:
        registers = Registers()
        registers.configured = "llvm.x86.ldtilecfg" not in text
    for name, kinds in _ARGUMENTS.items():
        called = _address(getattr(registers, name), [_TYPES[kind] for kind in kinds], keep)
        text = text.replace(f"call void @llvm.x86.{name}(", f"call void {called}(")
    text = re.sub(r"^declare void @llvm\.x86\.(?:ld)?t\w+\(.*\n", "", text, flags=re.M)
    text = re.sub(r'call <\d+ x float> asm sideeffect "", "=v,0"\((.*)\)', r"freeze \1", text)
    text = re.sub(r'^.* asm sideeffect "", "v"\(.*\n', "", text, flags=re.M)
    return _with_rounding(text, _address(registers.cvtne2ps2bf16, [ctypes.c_void_p] * 3, keep))


def _address(function: Callable[..., None], types: list[Any], keep: list[Any]) -> str:
    made = ctypes.CFUNCTYPE(None, *types)(function)
    keep.append(made)
    return f"inttoptr (i64 {ctypes.cast(made, ctypes.c_void_p).value} to ptr)"


def _with_rounding(text: str, called: str) -> str:
    intrinsic = "@llvm.x86.avx512bf16.cvtne2ps2bf16.512"
    if intrinsic not in text:
        return text
    text = re.sub(rf"^declare <32 x bfloat> {re.escape(intrinsic)}.*\n", "", text, flags=re.M)
    body = """
define internal <32 x bfloat> @rounded_halves(<16 x float> %high, <16 x float> %low) nounwind noinline {
  %to = alloca <32 x bfloat>, align 64
  %first = alloca <16 x float>, align 64
  %second = alloca <16 x float>, align 64
  store <16 x float> %low, ptr %first, align 64
  store <16 x float> %high, ptr %second, align 64
  call void CALLED(ptr %to, ptr %first, ptr %second)
  %halves = load <32 x bfloat>, ptr %to, align 64
  ret <32 x bfloat> %halves
}
"""
    return text.replace(intrinsic, "@rounded_halves") + body.replace("CALLED", called)
