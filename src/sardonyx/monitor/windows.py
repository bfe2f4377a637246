"""Rows of the payload log as frames: what a model was asked and answered in a span of time.

Decides which rows count (answered, no shadows) and how many. Must not know monitors.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from sardonyx.monitor.frame import Frame, frame_of
from sardonyx.monitor.query import tables
from sardonyx.monitor.store import Store


def window(
    store: Store,
    model: str,
    since_s: float,
    until_s: float,
    *,
    version: str = "",
    max_rows: int = 20_000,
    kinds: dict[str, str] | None = None,
    truth: bool = False,
) -> Frame:
    """The inputs and outputs of answered requests; with `truth` only of those whose truth is known."""
    with tables(store, model, since_s, until_s) as connection:
        known = [row[0] for row in connection.execute("DESCRIBE requests").fetchall()]
        given = [row[0] for row in connection.execute("DESCRIBE truth").fetchall()]
        columns = [name for name in known if name.startswith(("in.", "out."))]
        columns += [name for name in given if name.startswith("truth.")] if truth else []
        if not columns:
            return {}
        where = ["status = 'ok'"]
        if "shadow_of" in known:
            where.append("shadow_of IS NULL")
        if version:
            where.append("version = $version")
        joined = "JOIN (SELECT DISTINCT ON (id, row) * FROM truth) AS truth USING (id, row)" if truth else ""
        chosen = ", ".join('"' + name.replace('"', '""') + '"' for name in columns)
        found = connection.execute(
            f"SELECT * FROM (SELECT {chosen} FROM requests {joined} WHERE {' AND '.join(where)}) "
            f"USING SAMPLE reservoir({int(max_rows)} ROWS) REPEATABLE (1)",
            {"version": version} if version else {},
        )
        rows = found.fetchall()
    values: dict[str, list[Any]] = {name: [row[i] for row in rows] for i, name in enumerate(columns)}
    return frame_of({n: v for n, v in values.items() if any(x is not None for x in v)}, kinds)


def outcomes(store: Store, model: str, since_s: float, until_s: float, version: str = "") -> Any:
    """The statuses and the milliseconds of all requests, shadows aside."""
    with tables(store, model, since_s, until_s) as connection:
        known = [row[0] for row in connection.execute("DESCRIBE requests").fetchall()]
        where = "WHERE row = 0" + (" AND shadow_of IS NULL" if "shadow_of" in known else "")
        where += " AND version = $version" if version else ""
        found = connection.execute(
            f"SELECT status, total_ms FROM requests {where}", {"version": version} if version else {}
        ).fetchall()
    return [row[0] for row in found], np.array([row[1] for row in found], np.float64)
