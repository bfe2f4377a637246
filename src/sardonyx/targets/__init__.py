"""The machines this compiler knows, and the one it runs on. Must not know kernels or LLVM."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from sardonyx.base.knobs import TARGET
from sardonyx.base.policy import Goal
from sardonyx.base.target import Target
from sardonyx.errors import TargetError
from sardonyx.targets import reference, x86_64
from sardonyx.targets.detect import host
from sardonyx.targets.family import Family
from sardonyx.targets.host import Host

if TYPE_CHECKING:
    from sardonyx.compiler.backend import Backend

FAMILIES: list[Family] = [x86_64.FAMILY, reference.FAMILY]
"""Every folder of targets, the first choice first."""


def by_name(name: str) -> Target:
    """The target of a name, with further features after `+`: `x86_64-v4`, `x86_64-v4+avx512vnni+avx512bf16`.

    Code can be generated for it anywhere; `executable` says whether this machine runs it.
    Raises TargetError for an unknown name.
    """
    base, *extras = name.split("+")
    for family in FAMILIES:
        for target in family.targets:
            if target.name == base:
                return family.with_features(target, extras)
    known = ", ".join(target.name for family in FAMILIES for target in family.targets)
    raise TargetError(f"no target is called {base!r}; choose one of {known}")


def backend(goal: Goal) -> Backend:
    """What makes programs for a goal."""
    return _family(goal.target).backend(goal)


def executable(target: Target) -> Target:
    """The target, if this machine can execute it.

    Raises TargetError with what the machine lacks if it cannot.
    """
    lacking = _family(target).missing(target, this_machine())
    if lacking:
        raise TargetError(
            f"this machine cannot execute {target.name}: it lacks {', '.join(lacking)}. Name {_best().name},"
            f" or no target at all (variable {TARGET.env}, session config entry {TARGET.entry})"
        )
    return target


def detect() -> Target:
    """The best target for this machine, or the one named by the environment variable SARDONYX_TARGET.

    The choice rests on the features the CPU and the system report, never on a model name.
    Raises TargetError if this machine fits no target, or cannot execute the one that is named.
    """
    name = TARGET.read()
    return named(name) if name else _best()


def named(name: str) -> Target:
    """The target of a name, with the sizes of this machine, which executes it.

    Raises TargetError for an unknown name, and for what this machine cannot execute.
    """
    return this_machine().sized(executable(by_name(name)))


@cache
def this_machine() -> Host:
    """What this machine can do, asked once."""
    return host(FAMILIES)


def _family(target: Target) -> Family:
    base = target.name.partition("+")[0]
    return next(family for family in FAMILIES if any(known.name == base for known in family.targets))


def choose(machine: Host) -> Target:
    """The best target of the first family that serves a machine.

    Raises TargetError if none does.
    """
    for family in FAMILIES:
        if target := family.choose(machine):
            return target
    raise TargetError(
        f"no target fits {machine.machine or 'this machine'}; an x86-64 CPU is needed. The target "
        "`reference` runs on any machine, slowly, in numpy."
    )


@cache
def _best() -> Target:
    return choose(this_machine())
