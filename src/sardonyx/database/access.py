"""Tables of who may ask and who did what: API keys and the audit log.

Must not know how keys are made or checked. A key's secret is not here, only its SHA-256.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from sardonyx.database.base import Base, Json, now


class KeyRow(Base):
    """An API key: `prefix` finds it, `secret_sha256` proves it."""

    __tablename__ = "keys"

    id: Mapped[int] = mapped_column(primary_key=True)
    prefix: Mapped[str] = mapped_column(String(16), unique=True)
    secret_sha256: Mapped[str] = mapped_column(String(64))
    name: Mapped[str] = mapped_column(String(128))
    scopes: Mapped[list[str]] = mapped_column(default=list)
    models: Mapped[list[str]] = mapped_column(default=list)
    quotas: Mapped[list[str]] = mapped_column(default=list)
    created_at: Mapped[datetime] = mapped_column(default=now)
    created_by: Mapped[str] = mapped_column(String(128))
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]


class AuditRow(Base):
    """One act of administration; `chain` is a SHA-256 over this row and the chain of the one before."""

    __tablename__ = "audit"

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(default=now, index=True)
    actor: Mapped[str] = mapped_column(String(128))
    action: Mapped[str] = mapped_column(String(64))
    subject: Mapped[str] = mapped_column(String(256))
    detail: Mapped[Json] = mapped_column(default=dict)
    chain: Mapped[str] = mapped_column(String(64))
