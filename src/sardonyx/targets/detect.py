"""What the machine under this process can do, as its families and the system report it.

Decides nothing: returns the architecture, LLVM feature names and cache sizes. Must not import llvmlite, nor
know any instruction set.
"""

from __future__ import annotations

import ctypes
import os
import platform
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING

from sardonyx.targets.host import Host

if TYPE_CHECKING:
    from sardonyx.targets.family import Family


def host(families: Iterable[Family]) -> Host:
    """Ask each family for features, and the system for what they do not tell.

    Raises CompileError or OSError if the CPU cannot be asked.
    """
    machine, system = platform.machine().lower(), str(sys.platform)
    known = tuple(families)
    features = frozenset[str]().union(*(family.features(machine, system) for family in known))
    unit_bits = max((family.unit_bits(machine, system) for family in known), default=0)
    if system == "darwin":
        caches = sysctl("hw.l1dcachesize"), sysctl("hw.l2cachesize")
    else:
        caches = _cache_sizes("/sys/devices/system/cpu/cpu0/cache") if system == "linux" else (0, 0)
    return Host(machine, features, *caches, unit_bits)


def sysctl(name: str) -> int:
    """A number that macOS knows by a name; 0 if it does not."""
    value, size, none = ctypes.c_int64(0), ctypes.c_size_t(8), ctypes.c_size_t(0)
    libc = ctypes.CDLL(None)
    failed = libc.sysctlbyname(name.encode(), ctypes.byref(value), ctypes.byref(size), None, none)
    return 0 if failed else value.value


def _cache_sizes(folder: str | os.PathLike[str]) -> tuple[int, int]:
    sizes = {1: 0, 2: 0}
    try:
        for index in sorted(name for name in os.listdir(folder) if name.startswith("index")):
            level = int(_told(folder, index, "level"))
            if level in sizes and _told(folder, index, "type") != "Instruction":
                sizes[level] = parse_size(_told(folder, index, "size"))
    except (OSError, ValueError):
        return 0, 0
    return sizes[1], sizes[2]


def _told(*path: str | os.PathLike[str]) -> str:
    with open(os.path.join(*path), encoding="utf-8") as file:
        return file.read().strip()


def parse_size(text: str) -> int:
    """Bytes of a size such as `48K` or `2M`."""
    unit = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}.get(text[-1:], 1)
    return int(text[:-1] if unit > 1 else text) * unit
