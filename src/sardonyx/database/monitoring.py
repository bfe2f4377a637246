"""Tables of monitors: their definitions, what each run found, the alerts.

Must not know what a definition means.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from sardonyx.database.base import Base, Json, now


class MonitorRow(Base):
    """A monitor; `definition` is what was asked for, `state` what its last run found."""

    __tablename__ = "monitors"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(128), unique=True)
    model: Mapped[str] = mapped_column(String(128), index=True)
    definition: Mapped[Json]
    state: Mapped[str] = mapped_column(String(16), default="new")
    enabled: Mapped[bool] = mapped_column(default=True)
    last_run_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(default=now)
    created_by: Mapped[str] = mapped_column(String(128))
    runs: Mapped[list[MonitorRunRow]] = relationship(back_populates="monitor", cascade="all, delete-orphan")
    alerts: Mapped[list[AlertRow]] = relationship(back_populates="monitor", cascade="all, delete-orphan")


class MonitorRunRow(Base):
    """One run: values and what plots need."""

    __tablename__ = "monitor_runs"
    __table_args__ = (Index("ix_monitor_runs_monitor_id_at", "monitor_id", "at"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    monitor_id: Mapped[int] = mapped_column(ForeignKey("monitors.id", ondelete="CASCADE"))
    at: Mapped[datetime]
    since: Mapped[datetime]
    until: Mapped[datetime]
    state: Mapped[str] = mapped_column(String(16))
    rows: Mapped[int] = mapped_column(default=0)
    reference_rows: Mapped[int] = mapped_column(default=0)
    message: Mapped[str] = mapped_column(default="")
    values: Mapped[list[Any]] = mapped_column(JSON(), default=list)
    plots: Mapped[Json] = mapped_column(default=dict)
    monitor: Mapped[MonitorRow] = relationship(back_populates="runs")


class AlertRow(Base):
    """A time in which a monitor was beyond a threshold; it goes on while `ended_at` is null."""

    __tablename__ = "alerts"

    id: Mapped[int] = mapped_column(primary_key=True)
    monitor_id: Mapped[int] = mapped_column(ForeignKey("monitors.id", ondelete="CASCADE"))
    message: Mapped[str] = mapped_column(default="")
    began_at: Mapped[datetime] = mapped_column(default=now)
    ended_at: Mapped[datetime | None] = mapped_column(index=True)
    acknowledged_by: Mapped[str] = mapped_column(String(128), default="")
    monitor: Mapped[MonitorRow] = relationship(back_populates="alerts")
