"""From code that was compiled quickly to code of full effort, which does the same in less time.

Decides when a program is worth it and how its full code comes about. Must not know how a program changes
over to it.
"""

from __future__ import annotations

import time
import weakref
from collections.abc import Callable
from typing import Protocol

from sardonyx.base.target import Target
from sardonyx.errors import CompileError
from sardonyx.object.draft import Draft, Part
from sardonyx.runtime.cache import Cache, key
from sardonyx.runtime.image import LoadedImage, load, load_cached
from sardonyx.runtime.promoter import PROMOTER, Stopped
from sardonyx.runtime.team import Failure, Launch

HOT_NS = 200_000_000
"""How long native calls of a program have taken when it is worth full code."""
_LEAST_CALLS = 3
"""Calls without which it is not, however long they take: the first one brings in memory."""
_LOOK_SECONDS = 0.1


class Promoted(Protocol):
    """What changes over to full code."""

    def exchange(self, image: LoadedImage) -> None:
        """Run by other code that does the same."""

    def await_many_runs(self) -> None:
        """Ask for that code once it is worth it."""


class Heat:
    """Native calls that are timed until they have taken so long that full code is worth it."""

    def __init__(self, execute: Callable[[Launch], Failure | None], hot: Callable[[], None]) -> None:
        """`hot`, a method, is called then, if its object is still there."""
        self._execute, self._hot = execute, weakref.WeakMethod(hot)
        self._ns = self._calls = 0

    def __call__(self, launch: Launch) -> Failure | None:
        """Execute once; see `Team.run`."""
        began = time.perf_counter_ns()
        failure = self._execute(launch)
        self._ns += time.perf_counter_ns() - began
        self._calls += 1
        if self._ns >= HOT_NS and self._calls >= _LEAST_CALLS and (hot := self._hot()):
            hot()
        return failure


class Promotion:
    """How one program comes to its full code.

    Attributes:
        is_done: whether it has.
        fault: why it has not; empty if nothing went wrong.

    Args:
        store: where the full image is, or is to be kept.
        name: the key of that image.
        draft: gives what it is made of; None if that is no longer there.
        target: what to compile for.
        automatic: whether it is made in the background once it is worth it.
        tell: is told of what goes wrong there.
    """

    def __init__(
        self,
        store: Cache,
        name: str,
        draft: Callable[[], Draft | None],
        target: Target,
        *,
        automatic: bool,
        tell: Callable[[str], object] | None = None,
    ) -> None:
        self.fault = ""
        self.automatic = automatic
        self._store, self._name, self._draft, self._target = store, name, draft, target
        self._tell = tell
        self.is_done = self._is_asked = self._is_urgent = False

    def ask(self, program: Promoted) -> None:
        """Have it made in the background, unless the program is dropped before."""
        if self._is_asked:
            return
        self._is_asked = True
        held = weakref.ref(program)

        def work(stopped: Stopped) -> None:
            def is_over(seconds: float = 0.0) -> bool:
                return stopped(seconds) or self._is_urgent or held() is None

            try:
                self._perform(held, is_over)
            except Exception as error:
                self.fault = f"{type(error).__name__}: {error}"
                if self._tell is not None:
                    self._tell(f"Code that was compiled quickly stays in use; {self.fault}")

        def lost() -> None:
            self._is_asked = False
            if not self.is_done and (program := held()) is not None:
                program.await_many_runs()

        PROMOTER.add(work, lost)

    def now(self, program: Promoted) -> None:
        """Make it on this thread. Raises CompileError if the draft is gone or LLVM refuses it."""
        self._is_urgent = True
        self._perform(weakref.ref(program), _go_on)

    def _perform(self, held: weakref.ref[Promoted], stopped: Stopped) -> None:
        image = None if self.is_done else self._image(stopped)
        program = held()
        with PROMOTER.at_work:
            if image is not None and program is not None and not self.is_done:
                program.exchange(image)
                self.is_done = True
                self._draft = _no_draft

    def _image(self, stopped: Stopped) -> LoadedImage | None:
        """The full image, from the cache or made here; None if it is stopped.

        While another process makes it, this one waits for that, but not for long.
        """
        with PROMOTER.at_work:  # a child that was forked amid an import would wait for its end forever
            from sardonyx.runtime.claim import PATIENCE_SECONDS
        end = time.monotonic() + PATIENCE_SECONDS
        while not stopped(0.0):
            found = load_cached(self._store, self._name)
            if found is not None:
                return found
            with self._store.claim("image", self._name, wait=False) as is_mine:
                if is_mine or time.monotonic() > end:
                    return self._made(stopped)
            if stopped(_LOOK_SECONDS):
                break
        return None

    def _made(self, stopped: Stopped) -> LoadedImage | None:
        draft = self._draft()
        if draft is None:
            found = load_cached(self._store, self._name)
            if found is None and not self.is_done:
                what = "what the full code is made of is no longer in the cache"
                raise CompileError(f"{what}; make a new session")
            return found
        with PROMOTER.at_work:  # as above
            from sardonyx.object import engine
            from sardonyx.object.link import link

            engine.load()
        objects = []
        for part in draft.parts:
            if stopped(0.0):
                return None
            objects.append(self._object(part) if part.is_text else part.content)
        image = link(objects, self._target)
        if not self._store.put("image", self._name, image.to_bytes()):
            return load(image)
        drop_draft(self._store, self._name)
        for part in draft.parts:
            if part.is_text:
                self._store.remove("object", quick_key(part.key))
        return load_cached(self._store, self._name) or load(image)

    def _object(self, part: Part) -> bytes:
        from sardonyx.object import engine

        code = self._store.get("object", part.key)
        if code is None:
            with PROMOTER.at_work:
                code = engine.compile_object(part.content.decode(), self._target)
            self._store.put("object", part.key, code)
        return code


def _no_draft() -> None:
    """What a draft gives that is no longer needed."""


def _go_on(seconds: float) -> bool:
    time.sleep(seconds)
    return False


def quick_key(full: str) -> str:
    """The key of what was compiled quickly in the place of what has this key."""
    return key("quick", full)


def keep_draft(store: Cache, name: str, draft: Draft, quick_image: bytes) -> None:
    """Keep what was compiled quickly in the place of the image of that name, and what that is made of."""
    store.put("draft", name, draft.to_bytes())
    store.put("image", quick_key(name), quick_image)


def load_quick(store: Cache, name: str) -> LoadedImage | None:
    """What was kept in the place of an image, if the image can still be made."""
    return load_cached(store, quick_key(name)) if store.has("draft", name) else None


def read_draft(store: Cache, name: str) -> Draft | None:
    """What the image of that name is made of; None if it is gone or damaged, and no longer used then."""
    try:
        blob = store.get("draft", name)
        if blob is not None:
            return Draft.from_bytes(blob)
    except (TypeError, ValueError):
        pass
    drop_draft(store, name)
    return None


def drop_draft(store: Cache, name: str) -> None:
    """Remove what was kept in the place of an image."""
    store.remove("image", quick_key(name))
    store.remove("draft", name)
