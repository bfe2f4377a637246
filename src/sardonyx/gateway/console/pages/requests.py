"""The page of kept requests: the newest ones, and questions in SQL.

Decides which columns are shown first. Must not know how requests are kept.
"""

from __future__ import annotations

from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from sardonyx.gateway.console.desk import Desk
from sardonyx.monitor.query import answer
from sardonyx.monitor.store import Store
from sardonyx.protocol.errors import invalid

_ROWS = 100
_TEXT = 90
_FIRST = ("time", "id", "row", "version", "deployment", "status", "total_ms")
NEWEST = "SELECT * FROM requests ORDER BY time DESC LIMIT 50"
EXAMPLES = (
    ("Newest", NEWEST),
    (
        "Failed",
        "SELECT time, id, status, message FROM requests WHERE status <> 'ok' ORDER BY time DESC LIMIT 50",
    ),
    (
        "Slowest",
        "SELECT time, id, total_ms, queue_ms, infer_ms FROM requests ORDER BY total_ms DESC LIMIT 20",
    ),
    (
        "By hour",
        "SELECT date_trunc('hour', time) AS hour, count(*) AS rows, quantile_cont(total_ms, 0.95) AS p95_ms "
        "FROM requests GROUP BY hour ORDER BY hour DESC LIMIT 48",
    ),
    ("With truth", "SELECT * FROM requests JOIN truth USING (id, row) ORDER BY time DESC LIMIT 50"),
)


class RequestPages:
    """Handlers of this page."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def requests(self, request: Request) -> Response:
        """The answer to the SQL of the address, or the newest requests."""
        who = self._desk.admit(request, "admin")
        store = self._desk.parts.monitoring.store
        models = await self._desk.ask(lambda: store.models("requests")) if store is not None else []
        model = request.query_params.get("model") or (models[0] if models else "")
        sql = request.query_params.get("sql", NEWEST)
        found: dict[str, Any] = {"head": [], "rows": [], "refused": ""}
        if store is not None and model in models:
            try:
                found = await run_in_threadpool(_answer, store, model, sql)
            except ValueError as error:
                found["refused"] = str(error)
        elif model and store is not None:
            raise invalid(f"no request of {model!r} was kept")
        return self._desk.page(
            request,
            "requests.html",
            "requests",
            who,
            on=store is not None,
            models=models,
            model=model,
            sql=sql,
            examples=EXAMPLES,
            **found,
        )


def _answer(store: Store, model: str, sql: str) -> dict[str, Any]:
    names, rows = answer(store, model, sql, limit=_ROWS)
    order = list(range(len(names)))
    if "*" in sql:
        shown = [
            n
            for n in (*_FIRST, *sorted(n for n in names if n.startswith(("in.", "out.", "truth."))))
            if n in names
        ]
        order = [names.index(name) for name in shown]
    head = [names[i] for i in order]
    return {"head": head, "rows": [[_cell(row[i]) for i in order] for row in rows], "refused": ""}


def _cell(value: Any) -> Any:
    if value is None or hasattr(value, "astimezone"):
        return value
    if isinstance(value, float):
        return f"{value:.5g}"
    if isinstance(value, list):
        shown = ", ".join(str(_cell(item)) for item in value[:6])
        return f"[{shown}{', …' if len(value) > 6 else ''}]"
    text = str(value)
    return text if len(text) <= _TEXT else text[: _TEXT - 1] + "…"
