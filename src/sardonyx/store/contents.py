"""What the cache holds, by model: read off the heads of plans. Decides what is removed with a model.

Must not know how programs are made or run.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from sardonyx.base.dataclass import dataclass, field
from sardonyx.runtime.cache import KINDS, Cache
from sardonyx.runtime.promotion import quick_key
from sardonyx.store import programs
from sardonyx.store.programs import Head


@dataclass(slots=True)
class Kept:
    """What the cache holds of a model: sizes in bytes, and when it was last used, in seconds since 1970.

    A model is known by the digest of its file; `name` is how it was last called. `programs` counts what was
    compiled of it, for other options, targets or contents.
    """

    digest: str
    name: str = ""
    programs: int = 0
    plan_bytes: int = 0
    code_bytes: int = 0
    weight_bytes: int = 0
    used: float = 0.0
    plans: list[tuple[str, Head]] = field(default_factory=list)

    @property
    def size_bytes(self) -> int:
        """All of it."""
        return self.plan_bytes + self.code_bytes + self.weight_bytes


def kept(cache: Cache) -> list[Kept]:
    """The models, the largest first."""
    code = {(e.kind, e.key): e.size_bytes for kind in ("image", "draft") for e in cache.entries(kind)}
    weights = {entry.key: entry.size_bytes for entry in cache.entries("weights")}
    found: dict[str, Kept] = {}
    for entry in cache.entries("plan"):
        head = programs.read_head(cache, entry.key)
        if head is None:
            continue
        model = found.setdefault(head.digest, Kept(head.digest))
        if entry.used >= model.used:
            model.name, model.used = head.model, entry.used
        known = {name for _, other in model.plans for name in (other.image, other.weights)}
        model.programs += bool(head.image)
        model.plan_bytes += entry.size_bytes
        model.code_bytes += 0 if head.image in known else sum(code.get(part, 0) for part in _code(head))
        model.weight_bytes += 0 if head.weights in known else weights.get(head.weights, 0)
        model.plans.append((entry.key, head))
    return sorted(found.values(), key=lambda model: -model.size_bytes)


def shared_bytes(cache: Cache) -> int:
    """The size of compiled modules, which models share."""
    return sum(entry.size_bytes for kind in ("object", "module") for entry in cache.entries(kind))


def forget(cache: Cache, models: Iterable[Kept]) -> int:
    """Remove what is kept of models alone; the bytes that became free."""
    gone = list(models)
    uses = Counter(name for model in kept(cache) for name in _parts(model))
    mine = Counter(name for model in gone for name in _parts(model))
    sizes = {
        (e.kind, e.key): e.size_bytes
        for kind in ("plan", "image", "draft", "weights")
        for e in cache.entries(kind)
    }
    free = [("plan", key) for model in gone for key, _ in model.plans]
    free += [part for part, count in mine.items() if count >= uses[part]]
    for kind, key in free:
        cache.remove(kind, key)
    return sum(sizes.get(part, 0) for part in free)


def _parts(model: Kept) -> Iterator[tuple[str, str]]:
    for _, head in model.plans:
        yield from _code(head)
        if head.weights:
            yield "weights", head.weights


def _code(head: Head) -> Iterator[tuple[str, str]]:
    """Its full image, or what is there in the place of that."""
    if head.image:
        yield from (("image", head.image), ("image", quick_key(head.image)), ("draft", head.image))


def clear(cache: Cache) -> int:
    """Remove everything; the bytes that became free."""
    free = 0
    for kind in KINDS:
        for entry in cache.entries(kind):
            cache.remove(kind, entry.key)
            free += entry.size_bytes
    return free
