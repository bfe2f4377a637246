"""The audit log: one row per act of administration, each chained to the one before by SHA-256.

A row that was changed or removed afterwards breaks the chain. Must not know what the acts mean; secrets are
never part of a detail.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from sardonyx.database import Database, now
from sardonyx.database.access import AuditRow
from sardonyx.protocol.records import AuditCheck, AuditEntry


def record(
    session: Session, actor: str, action: str, subject: str, detail: Mapping[str, Any] | None = None
) -> None:
    """Add an act to the log in the transaction that does it; `Database.write` lets one in at a time."""
    before = session.scalar(select(AuditRow.chain).order_by(AuditRow.id.desc()).limit(1)) or ""
    row = AuditRow(
        at=now().replace(microsecond=0),
        actor=_text(actor, 128),
        action=action,
        subject=_text(subject, 256),
        detail={key: value for key, value in (detail or {}).items() if value not in (None, "", [], {})},
        chain="",
    )
    row.chain = _chain(before, row)
    session.add(row)
    session.flush()


class Audit:
    """Reads the log."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def entries(
        self, *, limit: int = 100, before: int | None = None, subject: str = "", actor: str = ""
    ) -> list[AuditEntry]:
        """The newest entries first, those with a number below `before`; subject and actor as prefixes."""
        query = select(AuditRow).order_by(AuditRow.id.desc()).limit(limit)
        if before is not None:
            query = query.where(AuditRow.id < before)
        if subject:
            query = query.where(AuditRow.subject.startswith(subject, autoescape=True))
        if actor:
            query = query.where(AuditRow.actor.startswith(actor, autoescape=True))
        with self._database.read() as session:
            return [_entry(row) for row in session.scalars(query)]

    def check(self) -> AuditCheck:
        """Follow the chain from the first entry on."""
        chain, count = "", 0
        with self._database.read() as session:
            for row in session.scalars(select(AuditRow).order_by(AuditRow.id)):
                if row.chain != _chain(chain, row):
                    return AuditCheck(entries=count, broken=row.id)
                chain, count = row.chain, count + 1
        return AuditCheck(entries=count)


def _text(given: str, most: int) -> str:
    """What any database can keep of a text that may come from outside."""
    return given.replace("\0", "\N{REPLACEMENT CHARACTER}")[:most]


def _chain(before: str, row: AuditRow) -> str:
    moment: datetime = row.at
    text = json.dumps(
        [before, moment.isoformat(), row.actor, row.action, row.subject, row.detail], sort_keys=True
    )
    return hashlib.sha256(text.encode()).hexdigest()


def _entry(row: AuditRow) -> AuditEntry:
    return AuditEntry(
        number=row.id, at=row.at, actor=row.actor, action=row.action, subject=row.subject, detail=row.detail
    )
