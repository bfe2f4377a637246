"""What is said of monitors: their definitions, their runs, their alerts. Plain data.

The same records leave the admin API and come back in the client. Must not know how a signal is computed.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any, Literal

import msgspec

from sardonyx.protocol.errors import invalid
from sardonyx.protocol.records import Record, Request

Kind = Literal["data_drift", "prediction_drift", "data_quality", "performance", "service"]
State = Literal["new", "ok", "alert", "too_few", "failed"]

_ISO = re.compile(r"P(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?")
_SHORT = re.compile(r"(\d+)\s*([smhdw])")
_UNITS = {"w": 604800, "d": 86400, "h": 3600, "m": 60, "s": 1}


class Baseline(Request, frozen=True, kw_only=True):
    """What is normal: a stored `file`, or the requests of a `window` that ended `offset` before each run.

    Durations as in ISO 8601 (P7D, PT1H) or short (7d, 1h). `target` is a column of the file
    that is not an input.
    """

    file: str = ""
    window: str = "P7D"
    offset: str = "P1D"
    target: str = ""


class Notice(Request, frozen=True, kw_only=True):
    """Who is told when an alert begins and ends: a `webhook` URL or an e-mail address."""

    webhook: str = ""
    email: str = ""


class NewMonitor(Request, frozen=True, kw_only=True):
    """A monitor to be.

    `metrics` and `thresholds` default by kind; `columns` are shell patterns over `in.NAME`, `out.NAME`;
    `kinds` says number, category, text or vector where the values do not. `prediction` and `truth` are the
    columns that a performance monitor compares. A run looks at `lookback` and takes place every `every`.
    """

    name: str
    model: str
    kind: Kind
    version: str = ""
    metrics: list[str] = msgspec.field(default_factory=list)
    thresholds: dict[str, float] = msgspec.field(default_factory=dict)
    columns: list[str] = msgspec.field(default_factory=list)
    kinds: dict[str, str] = msgspec.field(default_factory=dict)
    baseline: Baseline = Baseline()
    prediction: str = ""
    truth: str = "label"
    lookback: str = "P1D"
    every: str = "P1D"
    min_rows: int = 50
    max_rows: int = 20_000
    notify: list[Notice] = msgspec.field(default_factory=list)
    enabled: bool = True


class Value(Record, frozen=True, kw_only=True):
    """One number of one run; None is a number that could not be computed or is not finite."""

    metric: str
    column: str = ""
    value: float | None
    threshold: float | None = None
    breached: bool = False


class Run(Record, frozen=True, kw_only=True):
    """What a monitor found; `plots` are the shares of both sides by column."""

    monitor: str
    number: int = 0
    at: datetime
    since: datetime
    until: datetime
    state: State
    rows: int = 0
    reference_rows: int = 0
    message: str = ""
    values: list[Value] = msgspec.field(default_factory=list)
    plots: dict[str, dict[str, Any]] = msgspec.field(default_factory=dict)


class Monitor(NewMonitor, frozen=True, kw_only=True):
    """A monitor and how it stands."""

    state: State = "new"
    last_run_at: datetime | None = None
    created_at: datetime
    created_by: str


class Alert(Record, frozen=True, kw_only=True):
    """A time in which a monitor was beyond a threshold."""

    number: int
    monitor: str
    model: str
    message: str
    began_at: datetime
    ended_at: datetime | None = None
    acknowledged_by: str = ""


class Switch(Request, frozen=True, kw_only=True):
    """Whether a monitor runs by its schedule."""

    enabled: bool


class Truth(Request, frozen=True, kw_only=True):
    """What proved true: `values` by name, one for each of `ids`, the ids of requests.

    `rows` are places within batches, counted from 0; empty means that each request was one row.
    """

    ids: list[str]
    values: dict[str, list[Any]]
    rows: list[int] = msgspec.field(default_factory=list)


class Counted(Record, frozen=True, kw_only=True):
    """How many rows were taken."""

    rows: int


class Question(Request, frozen=True, kw_only=True):
    """One statement of SQL over the tables `requests` and `truth` of a model."""

    sql: str
    limit: int = 1000


class Rows(Record, frozen=True, kw_only=True):
    """The answer to a question."""

    names: list[str]
    rows: list[list[Any]]


class NewBaseline(Request, frozen=True, kw_only=True):
    """A baseline file to keep: its content (base64 in JSON), and its kind: .csv, .parquet or .npz."""

    content: bytes
    suffix: str


class StoredBaseline(Record, frozen=True, kw_only=True):
    """The name of a kept file, for `Baseline.file`."""

    name: str


def seconds(text: str, what: str = "a duration") -> float:
    """A duration in seconds: `P7D`, `PT1H30M`, `15m`, `7d`. INVALID_ARGUMENT says what is expected."""
    if match := _SHORT.fullmatch(text.strip()):
        found = int(match[1]) * _UNITS[match[2]]
    elif (match := _ISO.fullmatch(text.strip())) and any(match.groups()):
        found = sum(int(n or 0) * unit for n, unit in zip(match.groups(), _UNITS.values(), strict=True))
    else:
        raise invalid(f"{what} {text!r}: write P7D or PT1H as in ISO 8601, or 7d, 1h, 15m")
    if not 1 <= found <= 3660 * 86400:
        raise invalid(f"{what} {text!r}: from one second to ten years")
    return float(found)
