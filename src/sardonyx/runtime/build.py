"""IR modules -> one executable image, through the object cache; LLVM is imported only for what is new."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sardonyx.base.report import Report
from sardonyx.base.target import Target
from sardonyx.llvm import executor
from sardonyx.llvm.link import link
from sardonyx.runtime import cache
from sardonyx.runtime.image import LoadedImage, load


def build_image(library: Mapping[str, Callable[[], str]], target: Target, report: Report) -> LoadedImage:
    """Compile and link the modules of a program with the executor."""
    texts = [executor.ir(target), *(library[name]() for name in sorted(library))]
    store = cache.shared()
    keys = [object_key(text, target) for text in texts]
    objects = [store.get("object", key) for key in keys]
    missing = [n for n, found in enumerate(objects) if found is None]
    if missing:
        from sardonyx.llvm import engine

        for n, compiled in zip(
            missing, engine.compile_many([texts[n] for n in missing], target, 1), strict=True
        ):
            objects[n] = compiled
            store.put("object", keys[n], compiled)
    report.count("compiles", len(missing))
    return load(link([o for o in objects if o is not None]))


def object_key(text: str, target: Target) -> str:
    """The cache key of one module's machine code."""
    from sardonyx.llvm.engine import llvm_version

    return cache.key(text, target.cpu, ",".join(target.features), llvm_version())
