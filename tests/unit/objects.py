"""Machine code of IR texts for tests, compiled once for all processes that share the run's cache."""

from __future__ import annotations

from sardonyx.base.target import Target
from sardonyx.compiler.build import object_key
from sardonyx.object import engine
from sardonyx.runtime import cache


def compiled(text: str, target: Target) -> bytes:
    """The object file of a module."""
    store, key = cache.shared(), object_key(text, target)
    code = store.get("object", key)
    if code is None:
        code = engine.compile_object(text, target)
        store.put("object", key, code)
    return code
