"""What every command needs of a terminal: texts of sizes and times, tables, a progress line, user errors.

Must not know models or commands.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sardonyx.base.trace import watched

_REDRAW_SECONDS = 0.1
_WIDTH = 78


class UserError(Exception):
    """Something the user can put right; the message says what and how."""


def bytes_text(count: int) -> str:
    """A size for readers: `512 B`, `3.4 kB`, `97.5 MB`."""
    size = float(count)
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.2f} GB"


def time_text(seconds: float) -> str:
    """A time for readers: `850 ns`, `12.3 us`, `4.56 ms`, `1.20 s`."""
    for factor, unit, digits in ((1e9, "ns", 0), (1e6, "us", 1), (1e3, "ms", 2)):
        if seconds * factor < 1000:
            return f"{seconds * factor:.{digits}f} {unit}"
    return f"{seconds:.2f} s"


def shape_text(shape: Sequence[int | str | None] | None) -> str:
    """A shape for readers: `[N, 3, ?, ?]`; `[...]` if no rank is declared."""
    if shape is None:
        return "[...]"
    return "[" + ", ".join("?" if size is None else str(size) for size in shape) + "]"


def table(rows: Sequence[Sequence[str]], indent: str = "  ") -> str:
    """Rows as aligned columns, two blanks apart."""
    if not rows:
        return ""
    widths = [
        max(len(row[column]) for row in rows if column < len(row)) for column in range(max(map(len, rows)))
    ]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=False)) for row in rows)
    return "\n".join((indent + line).rstrip() for line in lines)


def print_json(data: Any) -> None:
    """One JSON document on stdout."""
    print(json.dumps(data, indent=1, default=str))


@contextmanager
def status_line(text: str) -> Iterator[None]:
    """Within this context, `text` stands on a terminal's stderr."""
    shown = sys.stderr.isatty()
    if shown:
        print(f"\r{text:<{_WIDTH}.{_WIDTH}}", end="", file=sys.stderr, flush=True)
    try:
        yield
    finally:
        if shown:
            print(f"\r{'':<{_WIDTH}}\r", end="", file=sys.stderr, flush=True)


@contextmanager
def progress_line(label: str) -> Iterator[None]:
    """Within this context, compilations show how far they are on one line of a terminal's stderr."""
    if not sys.stderr.isatty():
        yield
        return
    drawn_at = 0.0

    def draw(stage: str, done: int, total: int) -> None:
        nonlocal drawn_at
        now = time.monotonic()
        if now - drawn_at < _REDRAW_SECONDS:
            return
        drawn_at = now
        count = f" {done} of {total}" if total > 1 else ""
        print(f"\r{f'{label}: {stage}{count}':<{_WIDTH}.{_WIDTH}}", end="", file=sys.stderr, flush=True)

    try:
        with watched(draw):
            yield
    finally:
        if drawn_at:
            print(f"\r{'':<{_WIDTH}}\r", end="", file=sys.stderr, flush=True)
