"""What can be done with monitors, alerts, ground truth and kept requests, as rows like all of administration.

With them the table is whole: `OPERATIONS`. Must not know HTTP.
"""

from __future__ import annotations

from typing import Any

import msgspec

from sardonyx.client.outbound import shown
from sardonyx.gateway import operations
from sardonyx.gateway.operations import Administration, Call, Operation
from sardonyx.gateway.watched import add_monitor
from sardonyx.monitor.payload import TRUTH, truth_table
from sardonyx.monitor.query import answer
from sardonyx.monitor.watch import Watch
from sardonyx.protocol.errors import Code, ServeError, invalid
from sardonyx.protocol.monitors import (
    Alert,
    Counted,
    Monitor,
    NewBaseline,
    NewMonitor,
    Question,
    Rows,
    Run,
    StoredBaseline,
    Switch,
    Truth,
)

_MONITOR = "/monitors/{monitor}"
_MOST_ROWS = 100_000


def _watch(a: Administration) -> Watch:
    if a.monitors is None:
        raise ServeError(
            Code.UNSUPPORTED, "this server keeps no requests to be watched: start it with --log-payloads"
        )
    return a.monitors


def _seen(a: Administration, c: Call) -> Monitor:
    """The monitor of a call, if the principal may see its model."""
    monitor = _watch(a).book.get(c.path["monitor"])
    _must_see(c, monitor.model)
    return monitor


def _must_see(c: Call, model: str) -> None:
    if not c.principal.may_see(model):
        raise ServeError(Code.FORBIDDEN, f"{c.principal.name!r} has no access to {model!r}")


def _monitors(a: Administration, c: Call) -> list[Monitor]:
    found = _watch(a).book.monitors(c.query.get("model", ""))
    return [_told(c, monitor) for monitor in found if c.principal.may_see(monitor.model)]


def _monitor(a: Administration, c: Call) -> Monitor:
    return _told(c, _seen(a, c))


def _told(c: Call, monitor: Monitor) -> Monitor:
    """A monitor as the principal may know it: who cannot change it learns no path of its webhooks."""
    if "repository" in c.principal.scopes:
        return monitor
    hosts = [
        msgspec.structs.replace(one, webhook=one.webhook and shown(one.webhook, path=False))
        for one in monitor.notify
    ]
    return msgspec.structs.replace(monitor, notify=hosts)


def _add(a: Administration, c: Call) -> Monitor:
    replace = c.query.get("replace") in ("1", "true")
    return add_monitor(a, _watch(a), c.body, c.actor, replace=replace)


def _switch(a: Administration, c: Call) -> Monitor:
    return _watch(a).book.enable(_seen(a, c).name, c.body.enabled)


def _remove(a: Administration, c: Call) -> None:
    _watch(a).book.remove(_seen(a, c).name)


def _runs(a: Administration, c: Call) -> list[Run]:
    plots = c.query.get("plots") in ("1", "true")
    return _watch(a).book.runs(_seen(a, c).name, c.number("limit", 50, 400), plots=plots)


def _alerts(a: Administration, c: Call) -> list[Alert]:
    going = c.query.get("open") in ("1", "true")
    found = _watch(a).book.alerts(open_only=going, limit=c.number("limit", 100, 1000))
    return [alert for alert in found if c.principal.may_see(alert.model)]


def _acknowledge(a: Administration, c: Call) -> Alert:
    text = c.path["number"]
    if not (text.isascii() and text.isdecimal() and len(text) < 18):
        raise invalid(f"{text!r} is not a number of an alert")
    return _watch(a).book.acknowledge(int(text), c.actor)


def _baseline(a: Administration, c: Call) -> StoredBaseline:
    return StoredBaseline(name=_watch(a).baselines.add(c.body.content, c.body.suffix))


def _truth(a: Administration, c: Call) -> Counted:
    truth: Truth = c.body
    lengths = {len(truth.ids), *(len(v) for v in truth.values.values()), len(truth.rows or truth.ids)}
    if lengths != {len(truth.ids)} or not truth.values or not truth.ids:
        raise invalid("give `ids`, and in `values` a list as long as it for each name")
    if len(truth.ids) > _MOST_ROWS:
        raise invalid(f"at most {_MOST_ROWS:,} rows at once")
    import pyarrow as pa

    try:
        table = truth_table(truth.ids, truth.values, truth.rows)
    except pa.ArrowException as error:
        raise invalid(f"the values of a name must be of one type: {error}") from error
    _watch(a).store.append(TRUTH, c.path["model"], table)
    return Counted(rows=len(truth.ids))


def _query(a: Administration, c: Call) -> Rows:
    if not 1 <= c.body.limit <= _MOST_ROWS:
        raise invalid(f"limit is from 1 to {_MOST_ROWS:,}")
    try:
        names, rows = answer(_watch(a).store, c.path["model"], c.body.sql, limit=c.body.limit)
    except ValueError as error:
        raise invalid(str(error)) from error
    return Rows(names=names, rows=[[_plain(value) for value in row] for row in rows])


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


MONITORS = (
    Operation(
        "GET",
        "/monitors",
        "monitors",
        "Monitors by name",
        "metadata",
        list[Monitor],
        _monitors,
        query={"model": "only those of this model"},
    ),
    Operation(
        "POST",
        "/monitors",
        "add_monitor",
        "Keep a monitor",
        "repository",
        Monitor,
        _add,
        NewMonitor,
        query={"replace": "1 puts it in the place of one of that name"},
        status=201,
        names=lambda c: (c.body.model,),
    ),
    Operation("GET", _MONITOR, "monitor", "One monitor", "metadata", Monitor, _monitor),
    Operation(
        "PATCH",
        _MONITOR,
        "switch_monitor",
        "Let a monitor run by its schedule, or not",
        "repository",
        Monitor,
        _switch,
        Switch,
    ),
    Operation(
        "DELETE",
        _MONITOR,
        "delete_monitor",
        "Remove a monitor with all that it found",
        "repository",
        None,
        _remove,
        status=204,
    ),
    Operation(
        "POST",
        f"{_MONITOR}/run",
        "run_monitor",
        "Run a monitor now",
        "repository",
        Run,
        lambda a, c: _watch(a).run(_seen(a, c).name),
    ),
    Operation(
        "GET",
        f"{_MONITOR}/runs",
        "monitor_runs",
        "What a monitor found, the newest first",
        "metadata",
        list[Run],
        _runs,
        query={"limit": "at most so many", "plots": "1 gives the shares of both sides too"},
    ),
    Operation(
        "GET",
        "/alerts",
        "alerts",
        "Alerts, the newest first",
        "metadata",
        list[Alert],
        _alerts,
        query={"open": "1 shows those that go on", "limit": "at most so many"},
    ),
    Operation(
        "POST",
        "/alerts/{number}/acknowledge",
        "acknowledge_alert",
        "Say that an alert was seen",
        "repository",
        Alert,
        _acknowledge,
    ),
    Operation(
        "POST",
        "/baselines",
        "add_baseline",
        "Keep a baseline file",
        "repository",
        StoredBaseline,
        _baseline,
        NewBaseline,
        status=201,
    ),
    Operation(
        "POST",
        "/models/{model}/truth",
        "add_truth",
        "Say what proved true for requests by their ids",
        "infer",
        Counted,
        _truth,
        Truth,
    ),
    Operation(
        "POST",
        "/models/{model}/requests",
        "query_requests",
        "Ask the kept requests of a model in SQL",
        "admin",
        Rows,
        _query,
        Question,
    ),
)

OPERATIONS: tuple[Operation, ...] = (*operations.OPERATIONS, *MONITORS)
