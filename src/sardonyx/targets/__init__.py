"""The machines this compiler knows, and the one it runs on. Must not know kernels or LLVM."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

from sardonyx.base.knobs import TARGET
from sardonyx.base.target import Target
from sardonyx.errors import TargetError
from sardonyx.targets.detect import Host, host
from sardonyx.targets.x86_64 import isa as x86_64

TARGETS: tuple[Target, ...] = x86_64.TARGETS
"""Every machine that code is generated for, the most capable first within an architecture."""

REFERENCE = Target("reference", "", "", (), lanes=1, tile_rows=1, masked_tail=False)
"""No machine: kernels and algorithms run in numpy."""


def by_name(name: str) -> Target:
    """The target of a name, with further features after `+`: `x86_64-v4`, `x86_64-v4+avx512vnni+avx512bf16`.

    Code can be generated for it anywhere; `executable` says whether this machine runs it.
    Raises TargetError for an unknown name.
    """
    if name == REFERENCE.name:
        return REFERENCE
    base, *extras = name.split("+")
    for target in TARGETS:
        if target.name == base:
            return x86_64.with_features(target, extras)
    known = ", ".join(target.name for target in (*TARGETS, REFERENCE))
    raise TargetError(f"no target is called {base!r}; choose one of {known}")


def level(target: Target) -> Target:
    """The target without further features and cache sizes of its own: what many machines have in common."""
    return replace(by_name(target.name), fixed_order=target.fixed_order)


def executable(target: Target) -> Target:
    """The target, if this machine can execute it.

    Raises TargetError with what the machine lacks if it cannot.
    """
    lacking = x86_64.missing(target, this_machine()) if target.is_machine else ()
    if lacking:
        best = x86_64.choose(this_machine())
        raise TargetError(
            f"this machine cannot execute {target.name}: it lacks {', '.join(lacking)}. Name {best.name}, or"
            f" no target at all (variable {TARGET.env}, session config entry {TARGET.entry})"
        )
    return target


def detect() -> Target:
    """The best target for this machine, or the one named by the environment variable SARDONYX_TARGET.

    The choice rests on the features the CPU and the system report, never on a model name.
    Raises TargetError if this machine fits no target, or cannot execute the one that is named.
    """
    named = TARGET.read()
    return executable(by_name(named)) if named else _best()


@cache
def this_machine() -> Host:
    """What this machine can do, asked once."""
    return host()


@cache
def _best() -> Target:
    return x86_64.choose(this_machine())
