"""Monitors, their runs and alerts in the database.

Decides what is kept and for how long. Must not know how a signal is computed.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any

import msgspec
from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from sardonyx.database import Database, now
from sardonyx.database.monitoring import AlertRow, MonitorRow, MonitorRunRow
from sardonyx.monitor import signals
from sardonyx.protocol.errors import Code, ServeError, invalid, not_found
from sardonyx.protocol.monitors import Alert, Monitor, NewMonitor, Run, State, Value, seconds

KEPT_RUNS = 400
_SKEW = timedelta(minutes=5)
"""How far the clocks of two gateways may be apart."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


class Book:
    """All monitors of a database; safe to use from several threads and processes."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, wanted: NewMonitor, by: str = "local", *, replace: bool = False) -> Monitor:
        """Keep a monitor. CONFLICT if the name is taken, INVALID_ARGUMENT for what makes no sense."""
        definition = msgspec.to_builtins(wanted)
        try:
            _check(msgspec.convert(definition, NewMonitor))
        except msgspec.ValidationError as error:
            raise invalid(f"monitor {wanted.name!r}: {error}") from error
        with self._database.write(silent=True) as session:
            row = session.scalar(select(MonitorRow).where(MonitorRow.name == wanted.name))
            if row is not None and not replace:
                raise ServeError(Code.CONFLICT, f"there is a monitor {wanted.name!r} already")
            if row is None:
                row = MonitorRow(name=wanted.name, created_by=by[:128], state="new")
                session.add(row)
            row.model, row.definition, row.enabled = wanted.model, definition, wanted.enabled
            session.flush()
            return _monitor(row)

    def remove(self, name: str) -> None:
        """Forget a monitor with its runs and alerts."""
        with self._database.write(silent=True) as session:
            session.delete(_found(session, name))

    def enable(self, name: str, enabled: bool) -> Monitor:
        """Let a monitor run by its schedule, or not."""
        with self._database.write(silent=True) as session:
            row = _found(session, name)
            row.enabled = enabled
            row.definition = {**row.definition, "enabled": enabled}
            return _monitor(row)

    def get(self, name: str) -> Monitor:
        """A monitor by name."""
        with self._database.read() as session:
            return _monitor(_found(session, name))

    def monitors(self, model: str = "") -> list[Monitor]:
        """All monitors, or those of a model, by name."""
        query = select(MonitorRow).order_by(MonitorRow.name)
        if model:
            query = query.where(MonitorRow.model == model)
        with self._database.read() as session:
            return [_monitor(row) for row in session.scalars(query)]

    def due(self, at: datetime) -> list[Monitor]:
        """The enabled monitors whose last run began longer ago than their schedule says.

        One that ran in what is the future now is due too: the clock was set back.
        """
        return [
            m
            for m in self.monitors()
            if m.enabled
            and (
                m.last_run_at is None
                or at < m.last_run_at - _SKEW
                or at >= m.last_run_at + timedelta(seconds=seconds(m.every))
            )
        ]

    def claim(self, name: str, at: datetime, before: datetime | None) -> bool:
        """Whether this process may run the monitor now: of several that try, one may."""
        with self._database.write(silent=True) as session:
            row = _found(session, name)
            if row.last_run_at != before:
                return False
            row.last_run_at = at
            return True

    def keep(self, run: Run) -> tuple[Run, Alert | None]:
        """Write down a run; the alert that begins or ends with it, if one does."""
        with self._database.write(silent=True) as session:
            row = _found(session, run.monitor)
            kept = MonitorRunRow(
                monitor_id=row.id,
                at=run.at,
                since=run.since,
                until=run.until,
                state=run.state,
                rows=run.rows,
                reference_rows=run.reference_rows,
                message=run.message,
                values=msgspec.to_builtins(run.values),
                plots=run.plots,
            )
            session.add(kept)
            row.state, row.last_run_at = run.state, run.at
            session.flush()
            _forget_old_runs(session, row.id)
            alert = _alert_after(session, row, run)
            return _run(row.name, kept), alert

    def runs(self, name: str, limit: int = 50, *, plots: bool = False) -> list[Run]:
        """The newest runs first."""
        with self._database.read() as session:
            monitor = _found(session, name)
            query = select(MonitorRunRow).where(MonitorRunRow.monitor_id == monitor.id)
            rows = session.scalars(query.order_by(MonitorRunRow.id.desc()).limit(limit))
            found = [_run(name, row) for row in rows]
        return found if plots else [msgspec.structs.replace(run, plots={}) for run in found]

    def alerts(self, *, open_only: bool = False, limit: int = 100, monitor: str = "") -> list[Alert]:
        """The newest alerts first."""
        query = select(AlertRow).join(MonitorRow).order_by(AlertRow.id.desc()).limit(limit)
        if open_only:
            query = query.where(AlertRow.ended_at.is_(None))
        if monitor:
            query = query.where(MonitorRow.name == monitor)
        with self._database.read() as session:
            return [_alert(row) for row in session.scalars(query)]

    def open_alerts(self) -> int:
        """How many alerts go on that nobody has acknowledged."""
        query = select(func.count()).select_from(AlertRow)
        with self._database.read() as session:
            return (
                session.scalar(query.where(AlertRow.ended_at.is_(None), AlertRow.acknowledged_by == "")) or 0
            )

    def acknowledge(self, number: int, by: str) -> Alert:
        """Somebody has seen an alert."""
        with self._database.write(silent=True) as session:
            row = session.get(AlertRow, number)
            if row is None:
                raise not_found(f"there is no alert {number}")
            row.acknowledged_by = by[:128]
            return _alert(row)


def _check(wanted: NewMonitor) -> None:
    if not _NAME.fullmatch(wanted.name):
        raise invalid(f"monitor {wanted.name!r}: letters, digits, '.', '_' and '-', at most 128")
    for what, text in (
        ("lookback", wanted.lookback),
        ("every", wanted.every),
        ("baseline.window", wanted.baseline.window),
        ("baseline.offset", wanted.baseline.offset),
    ):
        seconds(text, what)
    if wanted.kind == "performance" and not wanted.prediction:
        raise invalid(
            "a performance monitor needs `prediction`: the column that it judges, such as out.label"
        )
    if wanted.min_rows < 1 or not 1 <= wanted.max_rows <= 1_000_000:
        raise invalid("min_rows is at least 1, max_rows from 1 to 1,000,000")
    for notice in wanted.notify:
        if bool(notice.webhook) == bool(notice.email):
            raise invalid("a notice has either a webhook or an e-mail address")
        if notice.email and ("@" not in notice.email or set(notice.email) & set("\r\n,;<> ")):
            raise invalid(f"{notice.email!r} is not an e-mail address")
    signals.check(wanted)


def _found(session: Session, name: str) -> MonitorRow:
    row = session.scalar(select(MonitorRow).where(MonitorRow.name == name))
    if row is None:
        raise not_found(f"there is no monitor {name!r}; `sardonyx monitor list` lists them")
    return row


def _forget_old_runs(session: Session, monitor_id: int) -> None:
    of_monitor = select(MonitorRunRow.id).where(MonitorRunRow.monitor_id == monitor_id)
    oldest = session.scalar(of_monitor.order_by(MonitorRunRow.id.desc()).offset(KEPT_RUNS).limit(1))
    if oldest is not None:
        session.execute(
            delete(MonitorRunRow).where(MonitorRunRow.monitor_id == monitor_id, MonitorRunRow.id <= oldest)
        )


def _alert_after(session: Session, row: MonitorRow, run: Run) -> Alert | None:
    """An alert begins with the first run beyond a threshold and ends with the first that is well."""
    going = session.scalar(
        select(AlertRow).where(AlertRow.monitor_id == row.id, AlertRow.ended_at.is_(None)).limit(1)
    )
    if run.state == "alert" and going is None:
        going = AlertRow(monitor_id=row.id, message=run.message, began_at=run.at)
        going.monitor = row
        session.add(going)
        session.flush()
        return _alert(going)
    if run.state == "ok" and going is not None:
        going.ended_at = run.at
        return _alert(going)
    return None


def _monitor(row: MonitorRow) -> Monitor:
    known: dict[str, Any] = {
        **row.definition,
        "state": row.state,
        "enabled": row.enabled,
        "last_run_at": row.last_run_at,
        "created_at": row.created_at or now(),
        "created_by": row.created_by,
    }
    return msgspec.convert(known, Monitor)


def _run(monitor: str, row: MonitorRunRow) -> Run:
    state: State = row.state  # type: ignore[assignment]
    return Run(
        monitor=monitor,
        number=row.id,
        at=row.at,
        since=row.since,
        until=row.until,
        state=state,
        rows=row.rows,
        reference_rows=row.reference_rows,
        message=row.message,
        values=msgspec.convert(row.values, list[Value]),
        plots=row.plots,
    )


def _alert(row: AlertRow) -> Alert:
    return Alert(
        number=row.id,
        monitor=row.monitor.name,
        model=row.monitor.model,
        message=row.message,
        began_at=row.began_at,
        ended_at=row.ended_at,
        acknowledged_by=row.acknowledged_by,
    )
