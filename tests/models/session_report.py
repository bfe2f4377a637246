"""The two questions the model tests ask a session; the only place that knows where its report lies."""

from __future__ import annotations

from typing import Any


def compiled_kernels(session: Any) -> int:
    """How many kernels this session has compiled (not found in the cache) since it was created."""
    return int(session.report.counters.get("compiles", 0))


def fallback_operators(session: Any) -> list[str]:
    """The operators that do not run as native code."""
    return [f"{note.op} {note.node}: {note.reason}" for note in session.report.fallbacks]
