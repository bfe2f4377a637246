"""Who was denied what: counted in memory, and written to the audit log by the round.

Many equal denials are one entry with their count, and the kinds kept of one round are few, so that nobody
fills the log from outside. Must not know why something is denied.
"""

from __future__ import annotations

import threading

from sardonyx.database import Database
from sardonyx.protocol.errors import Code, ServeError
from sardonyx.registry import audit

_KINDS = 50
ACTION = "denied"
_CODES = (Code.UNAUTHENTICATED, Code.FORBIDDEN)
Kind = tuple[str, str, str, str]


class Denied:
    """Denials since the last writing."""

    def __init__(self) -> None:
        self._counts: dict[Kind, int] = {}
        self._others = 0
        self._counting = threading.Lock()

    def note(self, actor: str, action: str, subject: str, error: ServeError) -> None:
        """Count a refusal, if it is one of access."""
        if error.code not in _CODES:
            return
        kind = (actor, action, subject[:128], error.message)
        with self._counting:
            if kind in self._counts or len(self._counts) < _KINDS:
                self._counts[kind] = self._counts.get(kind, 0) + 1
            else:
                self._others += 1

    def write(self, database: Database) -> None:
        """Write what was counted. Raises ServeError UNAVAILABLE; then it is kept for the next time."""
        with self._counting:
            counts, others = self._counts, self._others
            if not counts:
                return
            self._counts, self._others = {}, 0
        try:
            with database.write(silent=True) as session:
                for (actor, action, subject, reason), count in counts.items():
                    detail = {"to": action, "reason": reason, "times": count}
                    audit.record(session, actor, ACTION, subject, detail)
                if others:
                    audit.record(session, "several", ACTION, "", {"times": others})
        except ServeError:
            with self._counting:
                self._others += others
                for kind, count in counts.items():
                    self._counts[kind] = self._counts.get(kind, 0) + count
            raise
