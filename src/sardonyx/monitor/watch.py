"""Runs monitors: loads both sides, computes the signal, writes it down, tells.

Decides in which order, and what a run says that cannot be made. Must not know the formulas.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sardonyx.database import now
from sardonyx.monitor import signals
from sardonyx.monitor.baseline import read_baseline
from sardonyx.monitor.book import Book
from sardonyx.monitor.columns import SUMMARY
from sardonyx.monitor.frame import Frame
from sardonyx.monitor.metrics import Metrics
from sardonyx.monitor.needs import MissingLibraryError
from sardonyx.monitor.notify import Notifier
from sardonyx.monitor.store import Store
from sardonyx.monitor.windows import outcomes, window
from sardonyx.protocol.errors import Code, ServeError, invalid, not_found
from sardonyx.protocol.monitors import Monitor, Run, State, Value, seconds

PREFIXES = {"data_drift": "in.", "prediction_drift": "out.", "performance": "out."}
"""How the columns begin that monitors of a kind look at; others look at all."""
_SUFFIXES = (".csv", ".parquet", ".npz")
_PLOTS = 40
_NAMED = 6
_log = logging.getLogger("sardonyx.monitor")


class Baselines:
    """The folder of baseline files, named by their content."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def add(self, content: bytes, suffix: str) -> str:
        """Keep a file; the name that monitors use. INVALID_ARGUMENT if it cannot be read as a baseline."""
        if suffix.lower() not in _SUFFIXES:
            raise invalid(f"a baseline is a {', '.join(_SUFFIXES)} file, not {suffix!r}")
        name = hashlib.sha256(content).hexdigest()[:24] + suffix.lower()
        self._folder.mkdir(parents=True, exist_ok=True)
        beside = self._folder / f".{threading.get_ident()}-{name}"
        try:
            beside.write_bytes(content)
            read_baseline(beside)
            beside.replace(self._folder / name)
        except ValueError as error:
            raise invalid(str(error)) from error
        finally:
            beside.unlink(missing_ok=True)
        return name

    def path(self, name: str) -> Path:
        """The file of a name; NOT_FOUND if there is none."""
        path = self._folder / name
        if Path(name).name != name or not path.is_file():
            raise not_found(f"there is no baseline {name!r}; add the file first")
        return path


class Watch:
    """Runs monitors of `book` over the payload log of `store`."""

    def __init__(
        self,
        book: Book,
        store: Store,
        baselines: Baselines,
        metrics: Metrics | None = None,
        notifier: Notifier | None = None,
    ) -> None:
        self.book, self.store, self.baselines = book, store, baselines
        self._metrics, self._notifier = metrics, notifier
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._work, name="sardonyx-monitors", daemon=True)

    def start(self) -> None:
        """Run every monitor by its schedule, in a thread."""
        self._thread.start()

    def close(self) -> None:
        """End the thread after the run that it is in."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def run(self, name: str, at: datetime | None = None) -> Run:
        """Run a monitor now and write down what it found, which may be that it failed."""
        monitor, at = self.book.get(name), at or now()
        since = at - timedelta(seconds=seconds(monitor.lookback))
        facts: dict[str, Any] = {"monitor": name, "at": at, "since": since, "until": at}
        try:
            found = self._evaluate(monitor, since, at)
        except (ServeError, ValueError, OSError, MissingLibraryError) as error:
            found = {"state": "failed", "message": str(error)}
        run, alert = self.book.keep(Run(**facts, **found))
        self._tell(monitor, run)
        if alert is not None and self._notifier is not None:
            self._notifier.tell(monitor, alert, run)
        return run

    def run_due(self) -> list[Run]:
        """Run what is due and nobody else runs."""
        at = now()
        return [self.run(m.name) for m in self.book.due(at) if self.book.claim(m.name, at, m.last_run_at)]

    def _evaluate(self, monitor: Monitor, since: datetime, until: datetime) -> dict[str, Any]:
        span = since.timestamp(), until.timestamp()
        if monitor.kind == "service":
            statuses, total_ms = outcomes(self.store, monitor.model, *span, monitor.version)
            return _judged(monitor, len(statuses), 0, lambda: signals.service(monitor, statuses, total_ms))
        if monitor.kind == "performance":
            return self._performance(monitor, span)
        current = self._window(monitor, *span)
        reference = self._reference(monitor, until)
        compute = signals.quality if monitor.kind == "data_quality" else signals.drift
        prefix = PREFIXES.get(monitor.kind, "")
        names = signals.chosen(monitor, reference, current, prefix)

        def judge() -> list[Value]:
            if not names:
                raise invalid(_nothing_shared(monitor, reference, current, prefix))
            return compute(monitor, reference, current)

        found = _judged(monitor, _rows(current), _rows(reference), judge)
        plots = {name: signals.plot(reference[name], current[name]) for name in names[:_PLOTS]}
        return {**found, "plots": {name: plot for name, plot in plots.items() if plot is not None}}

    def _performance(self, monitor: Monitor, span: tuple[float, float]) -> dict[str, Any]:
        joined = self._window(monitor, *span, truth=True)
        truth = joined.get(f"truth.{monitor.truth}")
        predicted = joined.get(monitor.prediction)
        if joined and truth is None:
            raise invalid(f"no ground truth has a column {monitor.truth!r}")
        if joined and predicted is None:
            columns = [name for name in joined if name.startswith("out.")]
            raise invalid(f"no output is called {monitor.prediction!r}; there are {', '.join(columns)}")
        return _judged(
            monitor,
            _rows(joined),
            0,
            lambda: signals.performance(monitor, predicted, truth) if predicted and truth else [],
        )

    def _window(self, monitor: Monitor, since_s: float, until_s: float, *, truth: bool = False) -> Frame:
        return window(
            self.store,
            monitor.model,
            since_s,
            until_s,
            version=monitor.version,
            max_rows=monitor.max_rows,
            kinds=monitor.kinds,
            truth=truth,
        )

    def _reference(self, monitor: Monitor, until: datetime) -> Frame:
        baseline = monitor.baseline
        if baseline.file:
            names = [column for column in self.columns(monitor.model) if "." in column]
            inputs = list(dict.fromkeys(n[3:].removesuffix(SUMMARY) for n in names if n.startswith("in.")))
            outputs = list(dict.fromkeys(n[4:].removesuffix(SUMMARY) for n in names if n.startswith("out.")))
            return read_baseline(
                self.baselines.path(baseline.file), inputs, outputs, baseline.target, monitor.kinds
            )
        end = until - timedelta(seconds=seconds(baseline.offset))
        begin = end - timedelta(seconds=seconds(baseline.window))
        return self._window(monitor, begin.timestamp(), end.timestamp())

    def columns(self, model: str) -> list[str]:
        """The columns that the newest kept requests of a model have; none without any."""
        import pyarrow.parquet as pq

        with self.store.reading("requests", model) as files:
            return list(pq.read_schema(files[-1]).names) if files else []

    def _tell(self, monitor: Monitor, run: Run) -> None:
        if self._metrics is None:
            return
        labels = (monitor.name, monitor.model)
        for value in run.values:
            if value.value is not None:
                self._metrics["sardonyx_monitor_value"].labels(*labels, value.metric, value.column).set(
                    value.value
                )
            if value.threshold is not None:
                self._metrics["sardonyx_monitor_threshold"].labels(*labels, value.metric).set(value.threshold)
        self._metrics["sardonyx_monitor_alert"].labels(*labels).set(run.state == "alert")
        self._metrics["sardonyx_monitor_run_timestamp_seconds"].labels(*labels).set(run.at.timestamp())

    def _work(self) -> None:
        while not self._stopping.wait(2.0):
            with _told():
                self.run_due()


@contextlib.contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except ServeError as error:
        _log.error("monitors wait: %s", error.message)
    except Exception:
        _log.exception("monitors")


def _rows(frame: Frame) -> int:
    return len(next(iter(frame.values()))) if frame else 0


def _judged(monitor: Monitor, rows: int, reference_rows: int, compute: Any) -> dict[str, Any]:
    """State, values and message of a run; too few rows on either side are not judged."""
    counts = {"rows": rows, "reference_rows": reference_rows}
    both = monitor.kind not in ("performance", "service")
    if rows < monitor.min_rows:
        return {**counts, "state": "too_few", "message": f"{rows} rows, {monitor.min_rows} are needed"}
    if both and reference_rows < monitor.min_rows:
        message = f"the baseline has {reference_rows} rows, {monitor.min_rows} are needed"
        return {**counts, "state": "too_few", "message": message}
    values: list[Value] = compute()
    if not values:
        raise ServeError(
            Code.INVALID_ARGUMENT, "none of the metrics fits a column that requests and baseline share"
        )
    breached = [value for value in values if value.breached]
    state: State = "alert" if breached else "ok"
    return {**counts, "state": state, "values": values, "message": _message(breached)}


def _nothing_shared(monitor: Monitor, reference: Frame, current: Frame, prefix: str) -> str:
    asked = f" that {', '.join(monitor.columns)} means" if monitor.columns else ""
    mine, theirs = (_names(frame, prefix) for frame in (current, reference))
    return f"requests and baseline share no column{asked}: the requests have {mine}, the baseline {theirs}"


def _names(frame: Frame, prefix: str) -> str:
    names = [name for name in frame if name.startswith(prefix)]
    if not names:
        return f"none that begins with '{prefix}'" if prefix else "none"
    return ", ".join(names[:_NAMED]) + (f" and {len(names) - _NAMED} more" if len(names) > _NAMED else "")


def _message(breached: list[Value]) -> str:
    told = [
        f"{v.metric} {f'of {v.column} ' if v.column else ''}is {_number(v.value)}, {_bound(v)}"
        for v in breached[:3]
    ]
    more = f" and {len(breached) - 3} more" if len(breached) > 3 else ""
    return "; ".join(told) + more


def _bound(value: Value) -> str:
    low = value.value is not None and value.threshold is not None and value.value < value.threshold
    return f"{'below' if low else 'above'} {_number(value.threshold)}"


def _number(value: float | None) -> str:
    return "beyond measure" if value is None else f"{value:.3g}"
