"""A part of the synchronous client, written by sardonyx.tools.unasync from the asynchronous one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from sardonyx.client.exchange import path_of
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

T = TypeVar("T")


class Monitoring(ABC):
    """What a client can do with monitors, alerts, ground truth and kept requests."""

    @abstractmethod
    def _get(self, path: str, type_: type[T], **query: str) -> T: ...

    @abstractmethod
    def _ask(self, method: str, path: str, type_: type[T], body: Any = None) -> T: ...

    @abstractmethod
    def _do(self, method: str, path: str, body: Any = None) -> None: ...

    def monitors(self, model: str = "") -> list[Monitor]:
        """Monitors by name, all or those of a model."""
        return self._get("/api/monitors", list[Monitor], **({"model": model} if model else {}))

    def monitor(self, name: str) -> Monitor:
        """One monitor."""
        return self._get(path_of("/api/monitors", name), Monitor)

    def add_monitor(self, monitor: NewMonitor, *, replace: bool = False) -> Monitor:
        """Keep a monitor; with `replace`, in place of one of that name."""
        return self._ask("POST", f"/api/monitors{'?replace=1' if replace else ''}", Monitor, monitor)

    def switch_monitor(self, name: str, enabled: bool) -> Monitor:
        """Let a monitor run by its schedule, or not."""
        return self._ask("PATCH", path_of("/api/monitors", name), Monitor, Switch(enabled=enabled))

    def delete_monitor(self, name: str) -> None:
        """Remove a monitor with all that it found."""
        self._do("DELETE", path_of("/api/monitors", name))

    def run_monitor(self, name: str) -> Run:
        """Run a monitor now."""
        return self._ask("POST", path_of("/api/monitors", name, "run"), Run)

    def monitor_runs(self, name: str, limit: int = 50) -> list[Run]:
        """What a monitor found, the newest first."""
        return self._get(path_of("/api/monitors", name, "runs"), list[Run], limit=str(limit))

    def alerts(self, *, open: bool = False) -> list[Alert]:
        """Alerts, the newest first; with `open` those that go on."""
        return self._get("/api/alerts", list[Alert], **({"open": "1"} if open else {}))

    def acknowledge_alert(self, number: int) -> Alert:
        """Say that an alert was seen."""
        return self._ask("POST", path_of("/api/alerts", str(number), "acknowledge"), Alert)

    def add_baseline(self, content: bytes, suffix: str) -> StoredBaseline:
        """Keep a baseline file of kind .csv, .parquet or .npz; its name is for `Baseline(file=...)`."""
        new = NewBaseline(content=content, suffix=suffix)
        return self._ask("POST", "/api/baselines", StoredBaseline, new)

    def add_truth(
        self, model: str, ids: Sequence[str], values: Mapping[str, Sequence[Any]], rows: Sequence[int] = ()
    ) -> Counted:
        """Say what proved true for requests by their ids."""
        truth = Truth(ids=list(ids), values={k: list(v) for k, v in values.items()}, rows=list(rows))
        return self._ask("POST", path_of("/api/models", model, "truth"), Counted, truth)

    def query_requests(self, model: str, sql: str, limit: int = 1000) -> Rows:
        """Ask the kept requests of a model in SQL."""
        asked = Question(sql=sql, limit=limit)
        return self._ask("POST", path_of("/api/models", model, "requests"), Rows, asked)
