"""Machine code of IR texts for tests, compiled once for all processes that share the run's cache."""

from __future__ import annotations

from collections.abc import Sequence

from sardonyx.base.policy import Goal
from sardonyx.base.target import Target
from sardonyx.compiler.build import object_key
from sardonyx.kernels.library import library_ir
from sardonyx.object import engine, executor
from sardonyx.object.link import link
from sardonyx.runtime import cache
from sardonyx.runtime.image import LoadedImage, load
from sardonyx.runtime.promotion import quick_key
from tests.runnable import is_for_others, is_quick, need
from tests.unit.llvm.dots import with_models


def compiled(text: str, target: Target, *, quick: bool = False) -> bytes:
    """The object file of a module."""
    store, key = cache.shared(), object_key(text, target)
    quick = quick and not store.has("object", key)
    key = quick_key(key) if quick else key
    code = store.get("object", key)
    if code is None:
        code = engine.compile_object(with_models(text), target, quick=quick)
        store.put("object", key, code)
    return code


def compiled_alone(text: str, target: Target) -> bytes:
    """The object file of a module that no other test has, as `is_quick` says."""
    return compiled(text, target, quick=is_quick(target, text))


def contractions(goal: Goal, operand: str = "f32") -> list[bytes]:
    """What calls kernels, and products and convolutions of an operand, as tests of a target share them."""
    quick, texts = is_for_others(goal.target), (executor.ir(goal.target), *library_ir(goal, operand))
    return [compiled(text, goal.target, quick=quick) for text in texts]


def assembled(text: str, target: Target) -> str:
    """The assembly of a module compiled in full."""
    store, key = cache.shared(), cache.key("assembly", object_key(text, target))
    found = store.get("object", key)
    if found is None:
        found = engine.assembly(text, target).encode()
        store.put("object", key, found)
    return found.decode()


def loaded(codes: Sequence[bytes], target: Target) -> LoadedImage:
    """Objects linked and ready to be executed; skips the test if this machine cannot execute them."""
    return load(link(codes, need(target)))
