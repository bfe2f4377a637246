"""Machine code of IR texts for tests, compiled once for all processes that share the run's cache."""

from __future__ import annotations

from collections.abc import Sequence

from sardonyx.base.target import Target
from sardonyx.compiler.build import object_key
from sardonyx.object import engine
from sardonyx.object.link import link
from sardonyx.runtime import cache
from sardonyx.runtime.image import LoadedImage, load
from sardonyx.runtime.promotion import quick_key
from tests.runnable import need


def compiled(text: str, target: Target, *, quick: bool = False) -> bytes:
    """The object file of a module."""
    store, key = cache.shared(), object_key(text, target)
    key = quick_key(key) if quick else key
    code = store.get("object", key)
    if code is None:
        code = engine.compile_object(text, target, quick=quick)
        store.put("object", key, code)
    return code


def loaded(codes: Sequence[bytes], target: Target) -> LoadedImage:
    """Objects linked and ready to be executed; skips the test if this machine cannot execute them."""
    return load(link(codes, need(target)))
