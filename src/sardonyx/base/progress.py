"""A progress bar for long work, and a word if work turns out long; decides how and when, knows no work."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

BAR_CELLS = 24
REDRAW_SECONDS = 0.1


class Progress:
    """One line on stderr: label, bar, what is done of the total.

    Drawn only on a terminal; elsewhere the label is written once, so that logs stay short.

    Args:
        label: what is being done, e.g. ``"fetch silero-vad 6.2.3"``.
        total: the amount of work, in `unit`.
        unit: name printed after the numbers; ``"B"`` prints megabytes.
        quiet: write nothing at all.
    """

    def __init__(self, label: str, total: int, unit: str = "", *, quiet: bool = False) -> None:
        self.label, self.total, self.unit = label, max(total, 1), unit
        self.quiet = quiet
        self.live = not quiet and sys.stderr.isatty()
        self._drawn_at = 0.0

    def __enter__(self) -> Self:
        if self.live:
            self.update(0)
        elif not self.quiet:
            print(f"{self.label} ({self._amount(self.total)})", file=sys.stderr, flush=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.live:
            if error is None:
                self._draw(self.total)
            print(file=sys.stderr, flush=True)

    def update(self, done: int) -> None:
        """Show that `done` of the total is finished; cheap enough to call often."""
        now = time.monotonic()
        if self.live and now - self._drawn_at >= REDRAW_SECONDS:
            self._drawn_at = now
            self._draw(done)

    def _draw(self, done: int) -> None:
        done = min(done, self.total)
        filled = BAR_CELLS * done // self.total
        bar = "█" * filled + "·" * (BAR_CELLS - filled)
        text = f"\r{self.label} {bar} {self._amount(done)} of {self._amount(self.total)} "
        print(text, end="", file=sys.stderr, flush=True)

    def _amount(self, n: int) -> str:
        if self.unit != "B":
            return f"{n} {self.unit}".rstrip()
        return f"{n / 1e6:.{0 if self.total >= 100e6 else 1}f} MB"


@contextmanager
def told_after(seconds: float, tell: Callable[[], object] | None) -> Iterator[None]:
    """Call `tell` on another thread if what is inside takes longer."""
    if tell is None:
        yield
        return
    timer = threading.Timer(seconds, tell)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
