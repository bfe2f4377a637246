"""The machine code of a program: modules are compiled as soon as they are known, then linked to one image.

Decides what is compiled here, and what the cache or another process already has. LLVM is imported only for
what is new. Must not know what the modules compute.
"""

from __future__ import annotations

import itertools
import math
import queue
import sys
import threading
from contextlib import ExitStack
from functools import cached_property
from types import TracebackType
from typing import Self

from sardonyx.base.dataclass import dataclass
from sardonyx.base.named import NamedTuple
from sardonyx.base.policy import Goal, text_of
from sardonyx.base.report import Report
from sardonyx.base.target import Target
from sardonyx.kernels.library import Shared, Text
from sardonyx.object import executor, shipped, shortcut
from sardonyx.object.draft import Draft, Part
from sardonyx.object.link import link
from sardonyx.runtime import cores
from sardonyx.runtime.cache import Cache, key
from sardonyx.runtime.image import LoadedImage, load, load_cached
from sardonyx.runtime.promotion import keep_draft, load_quick, quick_key

_EXECUTOR, _SHORTCUT = f"executor {sys.platform}", f"shortcut {sys.platform}"
ALWAYS = {
    _EXECUTOR: Shared(lambda goal: executor.ir(goal.target)),
    _SHORTCUT: Shared(lambda goal: shortcut.ir(goal.target)),
}
"""What every program runs by. A start that must compile the shortcut does that quickly: it needs none."""


@dataclass(slots=True)
class Module:
    """IR text on its way to machine code; `key` is that of its full object in the cache.

    `is_quick` says that it is compiled in less time to slower code.
    """

    text: Text
    goal: Goal
    key: str
    is_quick: bool = False
    code: bytes | None = None
    error: BaseException | None = None
    _ir: str | None = None

    @property
    def size(self) -> float:
        """How long it is; what models share is long, and not made to know it."""
        return math.inf if isinstance(self.text, Shared) else len(self.ir)

    @property
    def made_key(self) -> str:
        """The key of the object that is made of it."""
        return quick_key(self.key) if self.is_quick else self.key

    @property
    def ir(self) -> str:
        """The text itself, made once."""
        if self._ir is None:
            self._ir = self.text.of(self.goal) if isinstance(self.text, Shared) else self.text()
        return self._ir


class Code(NamedTuple):
    """The machine code of a program: its image, and the key of the full one in the cache.

    `draft` is what that is made of, if some of this was compiled quickly.
    """

    key: str
    image: LoadedImage
    draft: Draft | None = None


class Build:
    """The modules of a program by name; a context manager, which leaves no thread behind.

    Args:
        goal: what to compile for.
        level: the part of its target that many machines have in common; shared modules are compiled for it.
        store: where objects and images are kept.
        compiler: a digest of this package's code, on which the texts of shared modules depend.
        jobs: threads that compile what is new, the caller's included; 0 = as many as there are cores.
        quick: compile the program's own modules in less time to slower code, unless their full one is there.
    """

    def __init__(
        self, goal: Goal, level: Target, store: Cache, compiler: str, jobs: int = 0, *, quick: bool = False
    ) -> None:
        self.goal, self.level, self.store, self.compiler, self.quick = goal, level, store, compiler, quick
        self.modules: dict[str, Module] = {}
        self.compiled = 0
        self._threads: list[threading.Thread] = []
        self._keeper: threading.Thread | None = None
        self._made: queue.SimpleQueue[tuple[Module, ExitStack] | None] = queue.SimpleQueue()
        self._most_threads = (jobs or cores.team_size()) - 1
        self._new: queue.PriorityQueue[tuple[float, int, Module | None]] = queue.PriorityQueue()
        self._numbers = itertools.count()
        self._keys: set[str] = set()
        self._is_over = False
        for name, text in ALWAYS.items():
            self.add(name, text)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_over = True
        self._offer(*[None] * len(self._threads))
        self._end_threads()

    def add(self, name: str, text: Text) -> None:
        """Have a module; it is compiled while the caller goes on."""
        if name in self.modules:
            return
        module = self._shared(name, text) if isinstance(text, Shared) else self._own(text)
        self.modules[name] = module
        key = module.made_key
        if module.code is None and key not in self._keys and not self.store.has("object", key):
            self._offer(module)
            self._keys.add(key)
            self._hire()

    def _offer(self, *modules: Module | None) -> None:
        """What is to be compiled, the longest first, so that none is left in the end; None ends a thread."""
        for module in modules:
            self._new.put((math.inf if module is None else -module.size, next(self._numbers), module))

    def ir(self, name: str) -> str:
        """The text of a module."""
        return self.modules[name].ir

    def _own(self, text: Text) -> Module:
        module = Module(text, self.goal, "")
        module.key = object_key(module.ir, self.goal.target)
        module.is_quick = self.quick and not self.store.has("object", module.key)
        return module

    def _shared(self, name: str, text: Shared) -> Module:
        """A module whose text need not be made to know whether its code is there."""
        module = Module(text, text.goal(self.level, self.goal.policy), "")
        precision = self.goal.policy.precision
        module.code = shipped.find(name, module.goal.target, precision, lambda: self._sources)
        if module.code is not None:
            module.key = key(module.code)
            return module
        module.is_quick = name == _SHORTCUT
        name = key(name, text_of(module.goal), self.compiler)
        known = self.store.get("module", name)
        if known is None:
            known = object_key(module.ir, module.goal.target).encode()
            self.store.put("module", name, known)
        module.key = known.decode()
        return module

    @cached_property
    def _sources(self) -> str:
        """The digest of the sources around shipped code; they are read once for each build of the package."""
        name = key("sources", self.compiler)
        known = self.store.get("module", name)
        if known is None:
            known = shipped.sources().encode()
            self.store.put("module", name, known)
        return known.decode()

    def _hire(self) -> None:
        """One more thread, if there may be one and it has something to do."""
        if len(self._threads) < min(self._most_threads, len(self._keys)):
            from sardonyx.object import engine

            engine.load()
            self._threads.append(threading.Thread(target=self._serve, name="sardonyx-compile"))
            self._threads[-1].start()
            if self._keeper is None:
                self._keeper = threading.Thread(target=self._keep_all, name="sardonyx-keep")
                self._keeper.start()

    def _serve(self) -> None:
        """Compile until there is nothing more; what another process is compiling comes last."""
        later = []
        while (module := self._new.get()[-1]) is not None:
            if not self._make(module, wait=False):
                later.append(module)
        for module in later:
            self._make(module, wait=True)

    def _make(self, module: Module, *, wait: bool) -> bool:
        """Compile a module or get it from the cache; False if another process is at it and we do not wait."""
        if self._is_over:
            return True
        try:
            with ExitStack() as claim:
                if not claim.enter_context(self.store.claim("object", module.made_key, wait=wait)):
                    return False
                module.code = self.store.get("object", module.made_key)
                if module.code is None:
                    from sardonyx.object import engine

                    module.code = engine.compile_object(module.ir, module.goal.target, quick=module.is_quick)
                    self.compiled += 1
                    self._keep(module, claim.pop_all())
        except BaseException as error:
            module.error = error
        return True

    def _keep(self, module: Module, claim: ExitStack) -> None:
        """Store what was compiled and end its claim; a thread of its own does that if there are any.

        Each step in a file gives up the interpreter, for which who compiles would wait.
        """
        if self._keeper is not None:
            self._made.put((module, claim))
            return
        self._store(module, claim)

    def _store(self, module: Module, claim: ExitStack) -> None:
        with claim:
            assert module.code is not None
            self.store.put("object", module.made_key, module.code)

    def _keep_all(self) -> None:
        """Store what others have compiled until there is nothing more."""
        while (made := self._made.get()) is not None:
            try:
                self._store(*made)
            except BaseException as error:
                made[0].error = error

    def _end_threads(self) -> None:
        """Wait until those that were told to end have; none is interrupted in the middle of a module."""
        for thread in self._threads:
            thread.join()
        self._threads.clear()
        if self._keeper is not None:
            self._made.put(None)
            self._keeper.join()
            self._keeper = None

    def code(self, report: Report) -> Code:
        """All modules compiled and linked.

        Raises CompileError if a text is not LLVM IR.
        """
        self._offer(*[None] * (len(self._threads) + 1))
        self._serve()
        self._end_threads()
        for module in self.modules.values():
            if module.error is not None:
                raise module.error
        report.count("compiles", self.compiled)
        modules = [self.modules[name] for name in sorted(self.modules)]
        name = key("image", *(module.key for module in modules))
        loaded = load_cached(self.store, name)
        if loaded is not None:
            return Code(name, loaded)
        image = link([self._object(module) for module in modules], self.goal.target)
        drafted = [module for module in modules if self._is_drafted(module)]
        if not drafted:
            self.store.put("image", name, image.to_bytes())
            return Code(name, load_cached(self.store, name) or load(image))
        report.count("quick_kernels", len(drafted))
        draft = Draft([self._part(module) for module in modules])
        keep_draft(self.store, name, draft, image.to_bytes())
        return Code(name, load_quick(self.store, name) or load(image), draft)

    def _is_drafted(self, module: Module) -> bool:
        """Whether it is to be compiled in full later; quick code of what models share is for good."""
        return module.is_quick and not isinstance(module.text, Shared)

    def _part(self, module: Module) -> Part:
        is_text = self._is_drafted(module)
        return Part(module.key, is_text, module.ir.encode() if is_text else self._object(module))

    def _object(self, module: Module) -> bytes:
        if module.code is None:
            self._make(module, wait=True)
        if module.error is not None:
            raise module.error
        assert module.code is not None
        return module.code


def object_key(text: str, target: Target) -> str:
    """The cache key of one module's machine code."""
    from sardonyx.object.engine import llvm_version

    return key(text, target.cpu, ",".join((*target.features, *target.tuning)), llvm_version())
