"""Tables of who may ask and who did what: API keys, how often they were used, and the audit log.

Must not know how keys are made or checked. A key's secret is not here, only its SHA-256.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, String
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


class UsageRow(Base):
    """How often all gateways admitted a key in one window of a quota; of no use after `ends_s`, Unix time."""

    __tablename__ = "usage"

    prefix: Mapped[str] = mapped_column(String(16), primary_key=True)
    quota: Mapped[str] = mapped_column(String(64), primary_key=True)
    window: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    used: Mapped[int] = mapped_column(BigInteger)
    ends_s: Mapped[int] = mapped_column(BigInteger)


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
