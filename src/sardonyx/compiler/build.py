"""IR modules -> one executable image, through the object cache; LLVM is imported only for what is new."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from sardonyx.base.report import Report
from sardonyx.base.target import Target
from sardonyx.object import executor
from sardonyx.object.link import link
from sardonyx.runtime import cores
from sardonyx.runtime.cache import Cache, key
from sardonyx.runtime.image import LoadedImage, load, load_cached


def build_image(
    library: Mapping[str, Callable[[], str]], target: Target, store: Cache, jobs: int, report: Report
) -> tuple[str, LoadedImage]:
    """Compile and link the modules of a program with the executor: the image and its key in the cache.

    `jobs` processes compile what is new; 0 = as many as this process has cores.
    """
    texts = [executor.ir(target), *(library[name]() for name in sorted(library))]
    keys = [object_key(text, target) for text in texts]
    name = key("image", *keys)
    loaded = load_cached(store, name)
    if loaded is not None:
        report.count("compiles", 0)
        return name, loaded
    image = link(_objects(texts, keys, target, store, jobs or cores.team_size(), report))
    store.put("image", name, image.to_bytes())
    return name, load_cached(store, name) or load(image)


def _objects(
    texts: Sequence[str], keys: Sequence[str], target: Target, store: Cache, jobs: int, report: Report
) -> list[bytes]:
    objects = [store.get("object", key) for key in keys]
    missing = [n for n, found in enumerate(objects) if found is None]
    if missing:
        from sardonyx.object import engine

        compiled = engine.compile_many([texts[n] for n in missing], target, jobs)
        for n, code in zip(missing, compiled, strict=True):
            objects[n] = code
            store.put("object", keys[n], code)
    report.count("compiles", len(missing))
    return [found for found in objects if found is not None]


def object_key(text: str, target: Target) -> str:
    """The cache key of one module's machine code."""
    from sardonyx.object.engine import llvm_version

    return key(text, target.cpu, ",".join(target.features), llvm_version())
