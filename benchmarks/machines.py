"""Kinds of machines, by which figures are kept: what decides which kernels run, also in words."""

from __future__ import annotations

import re
from pathlib import Path

from sardonyx import targets
from sardonyx.base.knobs import TARGET
from sardonyx.tools import bench

LEVELS = {"x86_64-v4": "AVX-512", "x86_64-v3": "AVX2"}
BEYOND = {"avx512vnni": "VNNI", "avxvnni": "AVX-VNNI", "avx512fp16": "FP16", "amx": "AMX"}
"""Features beyond a level, by how their names begin, and what pages call them."""

CPUINFO = Path("/proc/cpuinfo")
GENERATIONS = {
    (6, 106): "Ice Lake",
    (6, 143): "Sapphire Rapids",
    (6, 173): "Granite Rapids",
    (6, 207): "Emerald Rapids",
    (23, 49): "Zen 2",
    (25, 1): "Zen 3",
    (25, 17): "Zen 4",
    (25, 160): "Zen 4",
    (26, 2): "Zen 5",
    (26, 17): "Zen 5",
}
"""Of servers by family and model: names of virtual processors do not tell them."""


def kind() -> str:
    """That of this machine: the level of instructions, and features beyond it."""
    target = targets.detect()
    beyond = [name for name in target.features if name.startswith(tuple(BEYOND))]
    return " ".join((target.name, *sorted(beyond)))


def processor() -> str:
    """The name of this machine's processor, and its generation as far as that is known."""
    name: str = bench.machine()["processor"]
    told = CPUINFO.read_text(encoding="utf-8") if CPUINFO.exists() else ""
    numbers = {key: int(number) for key, number in re.findall(r"^(cpu family|model)\s*: (\d+)$", told, re.M)}
    generation = GENERATIONS.get((numbers.get("cpu family", 0), numbers.get("model", 0)))
    return f"{name} ({generation} class)" if generation else name


def in_words(kind: str) -> str:
    """A kind as pages name it: AVX-512, VNNI."""
    level, *features = kind.split()
    beyond = [
        word for prefix, word in BEYOND.items() if any(feature.startswith(prefix) for feature in features)
    ]
    return ", ".join((LEVELS.get(level, level), *beyond))


def restriction() -> str:
    """The target that this machine is held to; empty if it may use all that it has.

    What is measured then says nothing of any kind of machine and is not recorded.
    """
    return TARGET.read()
