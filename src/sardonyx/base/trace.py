"""Watches a compilation: times every stage, verifies and prints what a stage made if it changed.

Knows the debug ladder and the dump folder; must not know any intermediate representation, which hands in
its own `View`.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any, TextIO, TypeVar

from sardonyx.base.dataclass import dataclass
from sardonyx.base.digest import begun
from sardonyx.base.report import Report, StageTime

T = TypeVar("T")
Watcher = Callable[[str, int, int], None]
"""Told (stage, done, total) while something long runs; total 0 = unknown."""

_watcher: ContextVar[Watcher | None] = ContextVar("sardonyx_watcher", default=None)


@dataclass(frozen=True, slots=True)
class View:
    """How the values of one type are printed, checked and measured."""

    text: Callable[[Any], str]
    verify: Callable[[Any], None] | None = None
    size: Callable[[Any], int] = len


class Trace:
    """The record of one compilation.

    `stage(name, value)` closes the stage that produced `value` and returns it. Debug level 1 prints a line
    per stage, 2 the report at the end, 3 the texts too, 4 the code too. A dump folder receives the texts
    of all stages that changed something, as `NN_name.txt`, and the code.
    """

    def __init__(
        self,
        views: Mapping[type, View] | None = None,
        *,
        debug: int = 0,
        dump: Path | None = None,
        verify: bool = False,
        stream: TextIO | None = None,
        clock: Callable[[], int] = time.perf_counter_ns,
    ) -> None:
        self.timings: list[StageTime] = []
        self._views = dict(views or {})
        self._debug = debug
        self._dump = dump
        self._verify = verify
        self._stream = stream
        self._clock = clock
        self._watch = _watcher.get()
        self._count = 0
        self._size = 0
        self._digest = b""
        if dump is not None:
            dump.mkdir(parents=True, exist_ok=True)
        self._since = clock()

    @classmethod
    def off(cls) -> Trace:
        """A trace that takes times and nothing else."""
        return cls()

    @property
    def prints_text(self) -> bool:
        """Whether the text of a stage has a reader."""
        return self._debug >= 3 or self._dump is not None

    @property
    def prints_code(self) -> bool:
        """Whether generated code has a reader."""
        return self._debug >= 4 or self._dump is not None

    def stage(self, name: str, value: T) -> T:
        """Close the stage that made `value`: record its time, then verify, print and dump it as asked."""
        elapsed_ms = (self._clock() - self._since) / 1e6
        self.timings.append(StageTime(name, elapsed_ms))
        if self._watch is not None:
            self._watch(name, 1, 1)
        if self._debug or self._verify or self._dump is not None:
            self._look(name, value, elapsed_ms)
        self._count += 1
        self._since = self._clock()
        return value

    def progress(self, stage: str, done: int, total: int) -> None:
        """Report the progress of a long stage to those who watch."""
        if self._watch is not None:
            self._watch(stage, done, total)

    def code(self, name: str, text: Callable[[], str]) -> None:
        """Show generated code, e.g. `code("k003.ll", lambda: ir)`; `text` is called only for a reader."""
        if self.prints_code:
            self._show(f"{self._count:02}_{name}", text(), loud=self._debug >= 4)

    def finish(self, report: Report) -> Report:
        """Put the times into the report and show it as asked."""
        report.timings = list(self.timings)
        if self._debug >= 2 or self._dump is not None:
            from sardonyx.base.explanation import explanation

            self._show("report.txt", explanation(report), loud=self._debug >= 2)
        if self._dump is not None:
            import json

            (self._dump / "report.json").write_text(json.dumps(report.as_json(), indent=1), encoding="utf-8")
        return report

    def _look(self, name: str, value: object, elapsed_ms: float) -> None:
        items = list(value) if isinstance(value, (list, tuple)) else [value]
        view = self._views.get(type(items[0])) if items else None
        if view is None:
            self._line(f"{name:<16} {elapsed_ms:9.2f} ms")
            return
        if self._verify and view.verify is not None:
            for item in items:
                view.verify(item)
        size = sum(view.size(item) for item in items)
        before = f"{self._size} -> " if self._size and self._size != size else ""
        self._line(f"{name:<16} {elapsed_ms:9.2f} ms   {before}{size}")
        self._size = size
        if self.prints_text:
            text = "\n\n".join(view.text(item) for item in items) + "\n"
            digest = begun(text.encode()).digest()
            if digest != self._digest:
                self._show(f"{self._count:02}_{name}.txt", text, loud=self._debug >= 3)
            self._digest = digest

    def _line(self, text: str) -> None:
        if self._debug:
            print(text, file=self._stream or sys.stderr)

    def _show(self, name: str, text: str, *, loud: bool) -> None:
        if loud:
            self._line(f"--- {name}\n{text}")
        if self._dump is not None:
            (self._dump / name).write_text(text, encoding="utf-8")


@contextmanager
def watched(watcher: Watcher) -> Iterator[None]:
    """Within this context every new Trace tells `watcher` how far it is."""
    token = _watcher.set(watcher)
    try:
        yield
    finally:
        _watcher.reset(token)
