"""The machines this compiler knows, and the one it runs on. Must not know kernels or LLVM."""

from __future__ import annotations

from sardonyx.base.knobs import TARGET
from sardonyx.base.target import Target
from sardonyx.errors import CompileError
from sardonyx.targets.detect import host
from sardonyx.targets.x86_64 import isa as x86_64

TARGETS: tuple[Target, ...] = x86_64.TARGETS
"""Every machine that code is generated for, the most capable first within an architecture."""

REFERENCE = Target("reference", "", "", (), lanes=1, tile_rows=1, masked_tail=False)
"""No machine: kernels and algorithms run in numpy."""

_detected: Target | None = None


def by_name(name: str) -> Target:
    """The target of a name, with further features after `+`: `x86_64-v4`, `x86_64-v4+avx512vnni+avx512bf16`.

    Raises CompileError for an unknown name.
    """
    if name == REFERENCE.name:
        return REFERENCE
    base, *extras = name.split("+")
    for target in TARGETS:
        if target.name == base:
            return x86_64.with_features(target, extras)
    known = ", ".join(target.name for target in (*TARGETS, REFERENCE))
    raise CompileError(f"no target is called {base!r}; choose one of {known}")


def detect() -> Target:
    """The best target for this machine, or the one named by the environment variable SARDONYX_TARGET.

    The choice rests on the features the CPU and the system report, never on a model name.
    Raises CompileError if this machine fits no target.
    """
    named = TARGET.read()
    if named:
        return by_name(named)
    global _detected
    if _detected is None:
        _detected = x86_64.choose(host())
    return _detected
