"""Primitives that a folder above this one registers: what imports their files, once a program needs them.

Stands apart from the table, so that a start from the cache can name them without importing it.
"""

from __future__ import annotations

from collections.abc import Callable

LOADERS: dict[str, Callable[[], object]] = {}
"""By the name of a primitive: what registers it."""


def register_late(prim: str, load: Callable[[], object]) -> None:
    """Let `load` be called when a primitive that is not in the table is first asked for; it registers it."""
    LOADERS[prim] = load
