"""What an x86-64 CPU says of itself and the system lets a process use: CPUID and XCR0.

Decides nothing: returns LLVM feature names. Both instructions are mapped as bytes, so that asking loads no
compiler and is right under emulators and hypervisors that hide features.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable
from functools import cache

from sardonyx.base.executable import copied
from sardonyx.base.named import NamedTuple
from sardonyx.targets.detect import sysctl
from sardonyx.targets.host import X86_64
from sardonyx.targets.x86_64.permission import granted

Ask = Callable[[int, int], tuple[int, int, int, int]]
"""EAX, EBX, ECX and EDX of a leaf and subleaf of CPUID."""

_A, _B, _C, _D = range(4)
_EXTENDED = 0x8000_0000
_SSE_AVX = 0x06
_AVX512 = 0xE0 | _SSE_AVX
_AMX = 0x6_0000
"""Bits of XCR0: the registers that the system saves, without which their instructions fault."""


class _Bit(NamedTuple):
    leaf: int
    subleaf: int
    register: int
    bit: int
    saved: int = 0


FEATURES: dict[str, _Bit] = {
    "movbe": _Bit(1, 0, _C, 22),
    "popcnt": _Bit(1, 0, _C, 23),
    "lzcnt": _Bit(0x8000_0001, 0, _C, 5),
    "fast-dpwssd": _Bit(0x8000_0001, 0, _C, 6),
    "fma": _Bit(1, 0, _C, 12, _SSE_AVX),
    "f16c": _Bit(1, 0, _C, 29, _SSE_AVX),
    "bmi": _Bit(7, 0, _B, 3),
    "bmi2": _Bit(7, 0, _B, 8),
    "avx2": _Bit(7, 0, _B, 5, _SSE_AVX),
    "gfni": _Bit(7, 0, _C, 8, _SSE_AVX),
    "avxvnni": _Bit(7, 1, _A, 4, _SSE_AVX),
    "avxvnniint8": _Bit(7, 1, _D, 4, _SSE_AVX),
    "avx512f": _Bit(7, 0, _B, 16, _AVX512),
    "avx512dq": _Bit(7, 0, _B, 17, _AVX512),
    "avx512cd": _Bit(7, 0, _B, 28, _AVX512),
    "avx512bw": _Bit(7, 0, _B, 30, _AVX512),
    "avx512vl": _Bit(7, 0, _B, 31, _AVX512),
    "avx512vbmi": _Bit(7, 0, _C, 1, _AVX512),
    "avx512vbmi2": _Bit(7, 0, _C, 6, _AVX512),
    "avx512vnni": _Bit(7, 0, _C, 11, _AVX512),
    "avx512fp16": _Bit(7, 0, _D, 23, _AVX512),
    "avx512bf16": _Bit(7, 1, _A, 5, _AVX512),
    "amx-bf16": _Bit(7, 0, _D, 22, _AMX),
    "amx-tile": _Bit(7, 0, _D, 24, _AMX),
    "amx-int8": _Bit(7, 0, _D, 25, _AMX),
}
"""Every feature that a target of this family may ask for; the bit of CPUID, and what XCR0 must have.

That sums of two products are quick on AMD's, CPUID tells by a set of instructions that no others have, SSE4a.
"""

_OSXSAVE = _Bit(1, 0, _C, 27)
_UNITS = {
    512: _Bit(0x8000_001A, 0, _A, 3),
    256: _Bit(0x8000_001A, 0, _A, 2),
    128: _Bit(0x8000_001A, 0, _A, 0),
}
"""Bits of the units that multiply vectors, as AMD's tell; a wider vector takes them several times."""
_MOVES = _Bit(0x8000_001A, 0, _A, 1)
"""That moves of any alignment are quick, which the same leaf tells."""


def decode(ask: Ask, xcr0: Callable[[], int]) -> frozenset[str]:
    """The features that CPUID names and whose registers are saved; `xcr0` is called only if it may be."""
    has = _bits(ask)
    saved = xcr0() if has(_OSXSAVE) else 0
    return frozenset(name for name, row in FEATURES.items() if row.saved & saved == row.saved and has(row))


def unit_bits(ask: Ask) -> int:
    """How wide the units are that multiply vectors; 0 if CPUID does not tell.

    Hypervisors hide the newest of these bits, not those of narrower units and of moves: where only moves are
    told of, units are the widest.
    """
    has = _bits(ask)
    return next((bits for bits, row in _UNITS.items() if has(row)), max(_UNITS) if has(_MOVES) else 0)


def _bits(ask: Ask) -> Callable[[_Bit], bool]:
    """Which bits are set. A leaf past the last one would show the last one."""
    last = {first: ask(first, 0)[_A] for first in (0, _EXTENDED)}
    answers: dict[tuple[int, int], tuple[int, int, int, int]] = {}

    def has(row: _Bit) -> bool:
        if row.leaf > last[row.leaf & _EXTENDED]:
            return False
        at = row.leaf, row.subleaf
        answers[at] = registers = answers.get(at) or ask(*at)
        return bool(registers[row.register] >> row.bit & 1)

    return has


def of_process(machine: str, system: str) -> frozenset[str]:
    """The features that this process may use; none if the machine is no x86-64.

    Raises CompileError or OSError as `features` does.
    """
    if machine not in X86_64:
        return frozenset()
    return _told_by_macos() if system == "darwin" else granted(features())


def units_of_process(machine: str, system: str) -> int:
    """The width in bits of the units that multiply vectors; 0 if it is not told.

    Raises CompileError or OSError as `features` does.
    """
    if machine not in X86_64 or system == "darwin":
        return 0
    return unit_bits(_instructions()[0])


def _told_by_macos() -> frozenset[str]:
    # XCR0 shows AVX-512 there only once a thread has used it; and each CPU with AVX2 has the sets of Haswell.
    named = {"avx2": "avx2_0", "fma": "fma", "f16c": "f16c", "bmi": "bmi1", "bmi2": "bmi2"}
    named |= dict.fromkeys(("lzcnt", "movbe", "popcnt"), "avx2_0")
    named |= {feature: feature for feature in ("avx512f", "avx512bw", "avx512dq", "avx512vl", "avx512cd")}
    named |= {"avx512vnni": "avx512vnni", "avx512bf16": "avx512bf16"}
    return frozenset(feature for feature, name in named.items() if sysctl(f"hw.optional.{name}"))


def features() -> frozenset[str]:
    """The features that this process may use, as the CPU and XCR0 tell.

    Raises CompileError or OSError if the system does not let it execute mapped code.
    """
    return decode(*_instructions())


@cache
def _instructions() -> tuple[Ask, Callable[[], int]]:
    """CPUID and XGETBV of XCR0; both keep the memory that holds them."""
    with_arguments = _WINDOWS if sys.platform == "win32" else _SYSTEM_V
    code = with_arguments + _CPUID
    memory = copied(code + _XGETBV)
    words = (ctypes.c_uint32 * 4)()
    cpuid = ctypes.CFUNCTYPE(None, ctypes.c_uint32, ctypes.c_uint32, ctypes.c_void_p)
    xgetbv = ctypes.CFUNCTYPE(ctypes.c_uint64)

    def ask(leaf: int, subleaf: int) -> tuple[int, int, int, int]:
        cpuid(memory.address)(leaf, subleaf, ctypes.addressof(words))
        return words[_A], words[_B], words[_C], words[_D]

    return ask, lambda: int(xgetbv(memory.address + len(code))())


# void cpuid(uint32 leaf, uint32 subleaf, uint32 *words): arguments to eax, ecx, r8; then the rest.
_SYSTEM_V = bytes.fromhex("49 89 d0  89 f8  89 f1")  # mov r8, rdx; mov eax, edi; mov ecx, esi
_WINDOWS = bytes.fromhex("89 c8  89 d1")  # mov eax, ecx; mov ecx, edx
_CPUID = bytes.fromhex(
    "53"  # push rbx
    "0f a2"  # cpuid
    "41 89 00  41 89 58 04  41 89 48 08  41 89 50 0c"  # mov [r8 + 0, 4, 8, 12], eax, ebx, ecx, edx
    "5b c3"  # pop rbx; ret
)
# uint64 xcr0(void)
_XGETBV = bytes.fromhex("31 c9  0f 01 d0  48 c1 e2 20  48 09 d0  c3")  # ecx = 0; xgetbv; rax |= rdx << 32
