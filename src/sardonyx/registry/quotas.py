"""How often keys were used, counted by this gateway in memory and by all gateways in the database.

Admission looks at memory alone; `exchange` brings the counts together, so between two exchanges each gateway
may admit what the others have not told yet. Windows slide: of the last one counts the share that is not over.
Must not know who asks.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import limits
from sqlalchemy import delete, select

from sardonyx.database import Database
from sardonyx.database.access import UsageRow
from sardonyx.registry.keys import parsed_quota

Count = tuple[str, str, int]
"""The prefix of a key, a quota as it was written, and the number of a window since 1970."""


class Quotas:
    """The quotas of keys; `hit` is asked on the event loop, `exchange` on another thread."""

    def __init__(self, database: Database | None = None, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._clock = clock
        self._parsed: dict[str, limits.RateLimitItem] = {}
        self._told: dict[Count, int] = {}
        self._untold: dict[Count, int] = {}
        self._changing = threading.Lock()

    def hit(self, prefix: str, text: str) -> float | None:
        """Count one use; None if the quota allows it, else the seconds until it allows one again."""
        quota = self._quota(text)
        length, most = quota.get_expiry(), quota.amount
        window, passed = divmod(self._clock(), length)
        now, before = (prefix, text, int(window)), (prefix, text, int(window) - 1)
        used, faded = self._used(now), self._used(before)
        if int(used + faded * (1 - passed / length)) < most:
            with self._changing:
                self._untold[now] = self._untold.get(now, 0) + 1
            return None
        if used >= most:
            return length - passed
        return max(length * (1 - (most - used) / faded) - passed, 0.1)

    def exchange(self) -> None:
        """Add what was counted here to what all counted, and learn that. Raises ServeError UNAVAILABLE."""
        with self._changing:
            untold = dict(self._untold)
        keys = {key for key in (*untold, *self._told) if self._matters(key)}
        if self._database is None or not keys:
            return
        prefixes = {prefix for prefix, _, _ in keys}
        with self._database.write(silent=True) as session:
            for (prefix, text, window), count in untold.items():
                row = session.get(UsageRow, (prefix, text, window))
                if row is None:
                    ends_s = (window + 2) * self._quota(text).get_expiry()
                    row = UsageRow(prefix=prefix, quota=text, window=window, used=0, ends_s=ends_s)
                    session.add(row)
                row.used += count
            session.flush()
            session.execute(delete(UsageRow).where(UsageRow.ends_s < int(self._clock())))
            rows = session.scalars(select(UsageRow).where(UsageRow.prefix.in_(prefixes)))
            told = {(row.prefix, row.quota, row.window): row.used for row in rows}
        with self._changing:
            for key, count in untold.items():
                self._untold[key] -= count
            self._untold = {key: count for key, count in self._untold.items() if count}
            self._told = told

    def _used(self, key: Count) -> int:
        return self._told.get(key, 0) + self._untold.get(key, 0)

    def _matters(self, key: Count) -> bool:
        """Whether a window is not over, or just now."""
        return (key[2] + 2) * self._quota(key[1]).get_expiry() > self._clock()

    def _quota(self, text: str) -> limits.RateLimitItem:
        quota = self._parsed.get(text)
        if quota is None:
            quota = self._parsed[text] = parsed_quota(text)
        return quota
