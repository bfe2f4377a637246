"""What deployments did lately, counted: requests, errors, and how many took how long.

Gateways keep counts in windows of a second and add them to the database, so that one that decides sees what
all saw. Must not know what is decided.
"""

from __future__ import annotations

import math
import threading
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from sardonyx.database import Database, now
from sardonyx.database.traffic import ObservedRow

WINDOW_S = 1
KEPT_WINDOWS = 10_000
"""So many windows of deployments wait for a database that is gone."""
_KEPT = timedelta(days=1)
_STEPS_PER_OCTAVE = 8


@dataclass(slots=True)
class Counts:
    """Counts of one deployment; `latencies` holds how many requests fell into each bucket of time.

    Of `requests` some ended in `errors` of the server; others were `refused`, and are not among them.
    """

    requests: int = 0
    errors: int = 0
    refused: int = 0
    latencies: Counter[int] = field(default_factory=Counter)

    def add(self, seconds: float, *, failed: bool) -> None:
        """Count one request."""
        self.requests += 1
        self.errors += failed
        self.latencies[bucket_of(seconds)] += 1

    def merge(self, other: Counts) -> None:
        """Add the counts of another."""
        self.requests += other.requests
        self.errors += other.errors
        self.refused += other.refused
        self.latencies.update(other.latencies)

    @property
    def error_rate(self) -> float:
        """Errors by requests."""
        return self.errors / self.requests if self.requests else 0.0

    @property
    def asked(self) -> int:
        """All that came, with those that were refused."""
        return self.requests + self.refused

    @property
    def refusal_rate(self) -> float:
        """Those that were refused by all that came."""
        return self.refused / self.asked if self.asked else 0.0

    def quantile(self, share: float) -> float:
        """The time in seconds that this share of requests did not exceed; within nine percent."""
        left = math.ceil(share * self.latencies.total())
        for bucket, count in sorted(self.latencies.items()):
            left -= count
            if left <= 0:
                return float(2.0 ** (bucket / _STEPS_PER_OCTAVE))
        return 0.0

    def slower(self, seconds: float) -> int:
        """How many requests took longer; within nine percent of the time, as `quantile`."""
        return sum(
            count for bucket, count in self.latencies.items() if 2.0 ** (bucket / _STEPS_PER_OCTAVE) > seconds
        )


def bucket_of(seconds: float) -> int:
    """The bucket of a time: eight to each doubling."""
    return math.ceil(math.log2(max(seconds, 1e-9)) * _STEPS_PER_OCTAVE)


class Tally:
    """What this gateway saw since it was last asked; counted on the event loop, taken on another thread."""

    def __init__(self) -> None:
        self._counts: dict[tuple[str, str, int], Counts] = {}
        self._lock = threading.Lock()

    def add(self, endpoint: str, deployment: str, finished_s: float, seconds: float, *, failed: bool) -> None:
        """Count a request that a deployment answered."""
        with self._lock:
            self._of(endpoint, deployment, finished_s).add(seconds, failed=failed)

    def refuse(self, endpoint: str, deployment: str, finished_s: float) -> None:
        """Count a request that a deployment refused."""
        with self._lock:
            self._of(endpoint, deployment, finished_s).refused += 1

    def _of(self, endpoint: str, deployment: str, finished_s: float) -> Counts:
        key = (endpoint, deployment, int(finished_s) // WINDOW_S * WINDOW_S)
        counts = self._counts.get(key)
        if counts is None:
            counts = self._counts[key] = Counts()
        return counts

    def take(self) -> dict[tuple[str, str, int], Counts]:
        """Everything counted since the last time."""
        with self._lock:
            taken, self._counts = self._counts, {}
        return taken

    def give_back(self, taken: Mapping[tuple[str, str, int], Counts]) -> None:
        """Keep what was taken for the next time; of more windows than `KEPT_WINDOWS` the newest."""
        with self._lock:
            for key, counts in taken.items():
                self._counts.setdefault(key, Counts()).merge(counts)
            for key in sorted(self._counts, key=_began_s)[:-KEPT_WINDOWS]:
                del self._counts[key]


def _began_s(key: tuple[str, str, int]) -> int:
    return key[2]


class Observed:
    """The counts of all gateways on one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, gateway: str, taken: Mapping[tuple[str, str, int], Counts]) -> None:
        """Add what one gateway counted; windows older than a day go."""
        with self._database.write(silent=True) as session:
            for (endpoint, deployment, began_s), counts in taken.items():
                began_at = datetime.fromtimestamp(began_s, UTC)
                row = _row(session, gateway, endpoint, deployment, began_at)
                merged = _counts(row)
                merged.merge(counts)
                row.requests, row.errors = merged.requests, merged.errors
                latencies = {str(bucket): count for bucket, count in merged.latencies.items()}
                row.detail = {"latencies": latencies, "refused": merged.refused}
            session.execute(delete(ObservedRow).where(ObservedRow.began_at < now() - _KEPT))

    def since(self, session: Session, endpoint: str, moment: datetime) -> dict[str, Counts]:
        """Counts by deployment of the windows that began at a moment or later."""
        query = select(ObservedRow).where(ObservedRow.endpoint == endpoint, ObservedRow.began_at >= moment)
        return summed(session.scalars(query))


def summed(rows: Iterable[ObservedRow]) -> dict[str, Counts]:
    """Counts by deployment."""
    found: dict[str, Counts] = {}
    for row in rows:
        found.setdefault(row.deployment, Counts()).merge(_counts(row))
    return found


def _row(session: Session, gateway: str, endpoint: str, deployment: str, began_at: datetime) -> ObservedRow:
    row = session.scalar(
        select(ObservedRow).where(
            ObservedRow.gateway == gateway,
            ObservedRow.endpoint == endpoint,
            ObservedRow.deployment == deployment,
            ObservedRow.began_at == began_at,
        )
    )
    if row is None:
        row = ObservedRow(
            gateway=gateway,
            endpoint=endpoint,
            deployment=deployment,
            began_at=began_at,
            requests=0,
            errors=0,
            detail={},
        )
        session.add(row)
    return row


def _counts(row: ObservedRow) -> Counts:
    latencies = Counter({int(bucket): count for bucket, count in row.detail.get("latencies", {}).items()})
    return Counts(row.requests, row.errors, row.detail.get("refused", 0), latencies)
