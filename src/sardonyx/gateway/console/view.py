"""Templates, and numbers and moments as people read them.

Decides units and what every page has around it. Must not know what a page is about.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from sardonyx.protocol.monitors import seconds

FOLDER = Path(__file__).parent
STATIC = FOLDER / "static"
NONE = "–"


@cache
def environment() -> Environment:
    """The templates, escaping everything; a name that a template lacks is an error."""
    made = Environment(
        loader=FileSystemLoader(FOLDER / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "bytes": size_text,
        "labelled_cells": labelled_cells,
        "duration": duration_text,
        "fact": fact_text,
        "number": number_text,
        "percent": percent_text,
        "moment": moment_text,
        "shape": shape_text,
        "span": span_text,
    }
    made.globals |= {"asset": asset, "spark_path": spark_path}
    return made


@cache
def asset(name: str) -> str:
    """The path of a static file below the console, with its content's digest, so that caches may keep it."""
    digest = hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:12]
    return f"/static/{name}?v={digest}"


def spark_path(values: Sequence[float]) -> str:
    """The path of a small line in a box of 96 x 26."""
    top, step = max(1e-9, *values), 96 / max(1, len(values) - 1)
    return "M" + " L".join(f"{i * step:.1f} {24 - value / top * 22:.1f}" for i, value in enumerate(values))


_TABLE = re.compile(r"<table>.*?</table>", re.DOTALL)
_HEAD = re.compile(r'<th scope="col"[^>]*>(.*?)</th>', re.DOTALL)
_CELL = re.compile(r"<(td|th)(?=[ >])")
_TAG = re.compile(r"<[^>]+>")


def labelled_cells(page: str) -> Markup:
    """A page whose cells carry the heads of their columns, which narrow screens show beside each.

    Roles say what rows and cells are where the style lays them out otherwise. Tables with a class stay.
    """
    return Markup(_TABLE.sub(lambda table: _labelled(table[0]), page))


def _labelled(table: str) -> str:
    labels = [_TAG.sub("", head).strip() for head in _HEAD.findall(table)]
    start, body, rows = table.partition("<tbody>")
    parts = rows.split("<tr")
    for i, row in enumerate(parts[1:], 1):
        left = iter(labels)

        def cell(found: re.Match[str], left: Iterator[str] = left) -> str:
            role = "rowheader" if found[1] == "th" else "cell"
            return f'<{found[1]} role="{role}" data-label="{next(left, "")}"'

        parts[i] = ' role="row"' + _CELL.sub(cell, row)
    head = start.replace("<th ", '<th role="columnheader" ').replace("<tr>", '<tr role="row">')
    head = head.replace("<table>", '<table class="stacked" role="table">')
    head = head.replace("<thead>", '<thead role="rowgroup">')
    return head + body.replace(">", ' role="rowgroup">') + "<tr".join(parts)


def number_text(value: float | None, digits: int = 3) -> str:
    """A number in few significant digits: 1,234 or 0.00123 or 1.2 million."""
    if value is None or math.isnan(value):
        return NONE
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    size = abs(value)
    for factor, unit in ((1e9, " G"), (1e6, " M")):
        if size >= factor:
            return f"{value / factor:.{digits}g}{unit}"
    if size >= 1000 or float(value).is_integer():
        return f"{value:,.0f}"
    return f"{value:.{digits}g}"


def percent_text(share: float | None, digits: int = 1) -> str:
    """A share as a percentage."""
    if share is None or math.isnan(share):
        return NONE
    return f"{share * 100:.{digits}f} %" if 0 < share < 1 else f"{share * 100:.0f} %"


def fact_text(value: Any) -> str:
    """A fact as words: names with their values, lists, numbers without a needless `.0`."""
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {fact_text(one)}" for name, one in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(fact_text, value))
    if value is None or isinstance(value, bool):
        return {None: NONE, True: "yes", False: "no"}[value]
    return f"{value:g}" if isinstance(value, float) else str(value)


def duration_text(seconds: float | None) -> str:
    """A time: 850 ns, 12.3 µs, 4.56 ms, 1.20 s, 3 min, 2 h, 5 d."""
    if seconds is None or math.isnan(seconds):
        return NONE
    if seconds == 0:
        return "0 ms"
    for factor, unit in ((1e9, "ns"), (1e6, "µs"), (1e3, "ms")):
        if seconds * factor < 1000:
            return f"{seconds * factor:.3g} {unit}"
    for length, unit in ((60, "s"), (3600, "min"), (86400, "h")):
        if seconds < length:
            return f"{seconds / {'s': 1, 'min': 60, 'h': 3600}[unit]:.3g} {unit}"
    return f"{seconds / 86400:.3g} d"


def span_text(span: str) -> str:
    """A span of ISO 8601 in words: 7 days, hour, 90 seconds."""
    whole = seconds(span)
    units = (("day", 86400), ("hour", 3600), ("minute", 60), ("second", 1))
    unit, length = next(row for row in units if whole % row[1] == 0)
    return unit if whole == length else f"{whole / length:g} {unit}s"


def size_text(count: float | None) -> str:
    """A size: 512 B, 3.4 kB, 97.5 MB."""
    if count is None:
        return NONE
    size = float(count)
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.3g} GB"


def shape_text(shape: Any) -> str:
    """A shape: N × 3 × 224 × 224; a free size without a name is a question mark."""
    sizes = ["?" if size is None or size == -1 else str(size) for size in shape]
    return " × ".join(sizes) if sizes else "scalar"


def moment_text(at: datetime | None) -> Markup:
    """A moment as a time element that scripts turn into the reader's time zone and into `3 min ago`."""
    if at is None:
        return Markup(f'<span class="muted">{NONE}</span>')
    at = at.astimezone(UTC)
    shown = escape(f"{at:%Y-%m-%d %H:%M} UTC")
    return Markup(f'<time datetime="{at.isoformat(timespec="seconds")}">{shown}</time>')


def plain(values: Mapping[str, Any]) -> dict[str, str]:
    """The fields of a form that are text, without blanks around them."""
    return {name: value.strip() for name, value in values.items() if isinstance(value, str)}
