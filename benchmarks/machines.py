"""Kinds of machines, by which figures are kept: what decides which kernels run, also in words."""

from __future__ import annotations

from sardonyx import targets
from sardonyx.base.knobs import TARGET

LEVELS = {"x86_64-v4": "AVX-512", "x86_64-v3": "AVX2"}
BEYOND = {"avx512vnni": "VNNI", "avxvnni": "AVX-VNNI", "avx512fp16": "FP16", "amx": "AMX"}
"""Features beyond a level, by how their names begin, and what pages call them."""


def kind() -> str:
    """That of this machine: the level of instructions, and features beyond it."""
    target = targets.detect()
    beyond = [name for name in target.features if name.startswith(tuple(BEYOND))]
    return " ".join((target.name, *sorted(beyond)))


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
