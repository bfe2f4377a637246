"""The x86-64 levels that code is generated for, and which one a machine gets; detects nothing."""

from __future__ import annotations

import os
from collections.abc import Iterable

from sardonyx.base.dataclass import replace
from sardonyx.base.target import Prefetch, Target
from sardonyx.errors import TargetError
from sardonyx.targets.host import X86_64, Host
from sardonyx.targets.x86_64 import instructions, tiles
from sardonyx.targets.x86_64.relocations import RELOCATIONS

# The objects are loaded by the engine's own linker, so every system uses ELF and the System V convention.
_TRIPLE = "x86_64-unknown-none-elf"
_EXECUTOR = os.path.join(os.path.dirname(__file__), "executor.ll")
_WINDOWS = "win64cc"
# Explicit 512-bit vectors are wanted as such; the generic levels are tuned to avoid them.
_TUNING = ("-prefer-256-bit",)

V3 = Target(
    name="x86_64-v3",
    triple=_TRIPLE,
    cpu="x86-64-v3",
    features=("avx2", "bmi", "bmi2", "f16c", "fma"),
    lanes=8,
    tiles=tiles.AVX2,
    prefetch=Prefetch(level=1, streams=4, rows=True),
    abreast=4,
    instructions=instructions.AVX2,
    tuning=_TUNING,
    executor=_EXECUTOR,
    relocations=RELOCATIONS,
    windows_convention=_WINDOWS,
)
V4 = Target(
    name="x86_64-v4",
    triple=_TRIPLE,
    cpu="x86-64-v4",
    features=(*V3.features, "avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"),
    lanes=16,
    tiles=tiles.AVX512,
    matrices=tiles.AMX,
    prefetch=Prefetch(level=1, alone_bytes=12 << 10, few_bytes=8 << 10, far_rows=True),
    abreast=4,
    instructions=instructions.AVX512,
    tuning=_TUNING,
    executor=_EXECUTOR,
    relocations=RELOCATIONS,
    windows_convention=_WINDOWS,
)

TARGETS: tuple[Target, ...] = (V4, V3)

EXTRAS: dict[str, tuple[str, ...]] = {
    V3.name: ("avxvnni", "avxvnniint8", "gfni"),
    V4.name: (
        *("avx512vnni", "avx512bf16", "avx512fp16", "avx512vbmi", "avx512vbmi2", "avxvnni", "gfni"),
        *("amx-tile", "amx-bf16", "amx-int8", "fast-dpwssd"),
    ),
}
"""Features beyond the level that kernels may ask for; without the others, more machines share code."""

_IMPLIED = frozenset({"lzcnt", "movbe", "popcnt"})
"""What LLVM uses at these levels beside the features that kernels ask for."""


def level(target: Target) -> Target:
    """The target without further features and sizes of its own: what many machines have in common."""
    known = next(known for known in TARGETS if known.name == target.name)
    features = tuple(name for name in target.features if name not in EXTRAS[target.name])
    names = ("l1_bytes", "l2_bytes", "unit_lanes", "instructions")
    return replace(target, features=features, **{name: getattr(known, name) for name in names})


def with_features(target: Target, features: Iterable[str]) -> Target:
    """The target with more features.

    Raises TargetError for a feature that is not one of its `EXTRAS`.
    """
    wanted = set(features)
    if unknown := wanted - set(EXTRAS[target.name]):
        known = ", ".join(EXTRAS[target.name])
        raise TargetError(f"{target.name} knows no feature {', '.join(sorted(unknown))}; choose from {known}")
    features = (*target.features, *(f for f in EXTRAS[target.name] if f in wanted))
    more = instructions.VBMI if "avx512vbmi" in wanted else ()
    return replace(target, features=features, instructions=(*target.instructions, *more))


def missing(target: Target, host: Host) -> tuple[str, ...]:
    """What a machine lacks to execute a target, in the target's order; nothing if it can."""
    needed = (*target.features, *sorted(_IMPLIED))
    return tuple(name for name in needed if name not in host.features)


def choose(host: Host) -> Target | None:
    """The highest level that a machine supports, with the extra features and sizes it has.

    None if it is not an x86-64. Raises TargetError if it is one without AVX2, FMA and F16C.
    """
    if host.machine not in X86_64:
        return None
    for target in TARGETS:
        if not missing(target, host):
            return host.sized(with_features(target, set(EXTRAS[target.name]) & host.features))
    lacking = ", ".join(missing(V3, host))
    raise TargetError(
        f"this machine lacks {lacking}; an x86-64-v3 CPU (AVX2, FMA, F16C) is needed. "
        "The target `reference` runs on any machine, slowly, in numpy."
    )
