"""What the machine under this process can do, as the system reports it.

Decides nothing: returns the architecture, LLVM feature names and cache sizes. Must not import llvmlite.
"""

from __future__ import annotations

import ctypes
import platform
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Host:
    """Architecture (`platform.machine` in lower case), LLVM feature names, cache sizes in bytes.

    A cache size is 0 if the system does not tell it.
    """

    machine: str
    features: frozenset[str]
    l1_bytes: int = 0
    l2_bytes: int = 0


def host() -> Host:
    """Ask the system."""
    machine, system = platform.machine().lower(), str(sys.platform)
    if system == "linux":
        features = parse_cpuinfo(Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace"))
        return Host(machine, features, *_cache_sizes(Path("/sys/devices/system/cpu/cpu0/cache")))
    if system == "darwin":
        return _darwin(machine)
    if system == "win32":
        return _windows(machine)
    return Host(machine, frozenset())


def parse_cpuinfo(text: str) -> frozenset[str]:
    """LLVM names of the features that the first processor of a `/proc/cpuinfo` text lists."""
    for line in text.splitlines():
        name, _, value = line.partition(":")
        if name.strip() in {"flags", "Features"}:
            return frozenset(_LLVM_NAMES.get(flag, flag) for flag in value.split())
    return frozenset()


_LLVM_NAMES = {
    "abm": "lzcnt",
    "avx512_bf16": "avx512bf16",
    "avx512_bitalg": "avx512bitalg",
    "avx512_fp16": "avx512fp16",
    "avx512_vbmi2": "avx512vbmi2",
    "avx512_vnni": "avx512vnni",
    "avx512_vpopcntdq": "avx512vpopcntdq",
    "avx_vnni": "avxvnni",
    "amx_bf16": "amx-bf16",
    "amx_int8": "amx-int8",
    "amx_tile": "amx-tile",
    "pni": "sse3",
    "sse4_1": "sse4.1",
    "sse4_2": "sse4.2",
}


def _cache_sizes(folder: Path) -> tuple[int, int]:
    sizes = {1: 0, 2: 0}
    try:
        for index in sorted(folder.glob("index*")):
            level = int((index / "level").read_text())
            if level in sizes and (index / "type").read_text().strip() != "Instruction":
                sizes[level] = parse_size((index / "size").read_text().strip())
    except (OSError, ValueError):
        return 0, 0
    return sizes[1], sizes[2]


def parse_size(text: str) -> int:
    """Bytes of a size such as `48K` or `2M`."""
    unit = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}.get(text[-1:], 1)
    return int(text[:-1] if unit > 1 else text) * unit


def _darwin(machine: str) -> Host:
    libc = ctypes.CDLL(None)

    def ask(name: str) -> int:
        value, size, none = ctypes.c_int64(0), ctypes.c_size_t(8), ctypes.c_size_t(0)
        failed = libc.sysctlbyname(name.encode(), ctypes.byref(value), ctypes.byref(size), None, none)
        return 0 if failed else value.value

    named = {"avx2": "avx2_0", "fma": "fma", "f16c": "f16c", "bmi": "bmi1", "bmi2": "bmi2"}
    named |= {feature: feature for feature in ("avx512f", "avx512bw", "avx512dq", "avx512vl", "avx512cd")}
    named |= {"avx512vnni": "avx512vnni", "avx512bf16": "avx512bf16"}
    features = frozenset(feature for feature, name in named.items() if ask(f"hw.optional.{name}"))
    return Host(machine, features, ask("hw.l1dcachesize"), ask("hw.l2cachesize"))


def _windows(machine: str) -> Host:
    kernel32: ctypes.CDLL = getattr(ctypes, "windll").kernel32  # noqa: B009 - absent on other systems
    present: Callable[[int], int] = kernel32.IsProcessorFeaturePresent
    features: set[str] = set()
    if present(40):
        features |= {"avx2", "fma", "f16c", "bmi", "bmi2"}
    if present(41):
        features |= {"avx512f", "avx512bw", "avx512dq", "avx512vl", "avx512cd"}
    return Host("x86_64" if machine == "amd64" else machine, frozenset(features))
