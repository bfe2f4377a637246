"""The questions the model tests ask a session; the only place that knows where its report lies."""

from __future__ import annotations

from typing import Any


def compiled_kernels(session: Any) -> int:
    """How many kernels this session has compiled (not found in the cache) since it was created."""
    return int(session.report.counters.get("compiles", 0))


def fallback_operators(session: Any) -> list[str]:
    """The operators that do not run as native code."""
    return [f"{note.op} {note.node}: {note.reason}" for note in session.report.fallbacks]


def indirect_sums(session: Any) -> list[str]:
    """The kernels that multiply numbers which were transformed or rounded."""
    notes = session.report.kernels
    return [note.plan for note in notes if "winograd" in note.plan or "bf16" in note.arithmetic]
