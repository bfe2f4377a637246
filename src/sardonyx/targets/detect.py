"""What the machine under this process can do, as its CPU and the system report it.

Decides nothing: returns the architecture, LLVM feature names and cache sizes. Must not import llvmlite.
"""

from __future__ import annotations

import ctypes
import platform
import sys
from pathlib import Path

from sardonyx.targets.host import X86_64, Host
from sardonyx.targets.x86_64 import cpuid


def host() -> Host:
    """Ask the CPU, and the system for what that does not tell.

    Raises CompileError or OSError if the CPU cannot be asked.
    """
    machine, system = platform.machine().lower(), str(sys.platform)
    if system == "darwin":
        return _darwin(machine)
    features = cpuid.features() if machine in X86_64 else frozenset[str]()
    caches = _cache_sizes(Path("/sys/devices/system/cpu/cpu0/cache")) if system == "linux" else (0, 0)
    return Host(machine, features, *caches)


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
    # XCR0 shows AVX-512 there only once a thread has used it; and each CPU with AVX2 has the sets of Haswell.
    libc = ctypes.CDLL(None)

    def ask(name: str) -> int:
        value, size, none = ctypes.c_int64(0), ctypes.c_size_t(8), ctypes.c_size_t(0)
        failed = libc.sysctlbyname(name.encode(), ctypes.byref(value), ctypes.byref(size), None, none)
        return 0 if failed else value.value

    named = {"avx2": "avx2_0", "fma": "fma", "f16c": "f16c", "bmi": "bmi1", "bmi2": "bmi2"}
    named |= dict.fromkeys(("lzcnt", "movbe", "popcnt"), "avx2_0")
    named |= {feature: feature for feature in ("avx512f", "avx512bw", "avx512dq", "avx512vl", "avx512cd")}
    named |= {"avx512vnni": "avx512vnni", "avx512bf16": "avx512bf16"}
    features = frozenset(feature for feature, name in named.items() if ask(f"hw.optional.{name}"))
    return Host(machine, features, ask("hw.l1dcachesize"), ask("hw.l2cachesize"))
