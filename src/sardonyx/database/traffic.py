"""Tables of endpoints: deployments, how traffic is spread over them and was before, canaries, what was seen.

Must not know how a request is routed.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from sardonyx.database.base import Base, Json, now


class EndpointRow(Base):
    """A name that clients ask; `current` is the number of the traffic that holds."""

    __tablename__ = "endpoints"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(128), unique=True)
    description: Mapped[str] = mapped_column(default="")
    sticky_header: Mapped[str] = mapped_column(String(64), default="")
    current: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime] = mapped_column(default=now)
    created_by: Mapped[str] = mapped_column(String(128))
    deployments: Mapped[list[DeploymentRow]] = relationship(
        back_populates="endpoint", cascade="all, delete-orphan", order_by="DeploymentRow.id"
    )
    traffic: Mapped[list[TrafficRow]] = relationship(
        back_populates="endpoint", cascade="all, delete-orphan", order_by="TrafficRow.number"
    )
    canaries: Mapped[list[CanaryRow]] = relationship(
        back_populates="endpoint", cascade="all, delete-orphan", order_by="CanaryRow.id"
    )


class DeploymentRow(Base):
    """A model version under an endpoint: `version` a number or `@alias`, which is followed.

    Traffic with a number below `first_traffic` means another deployment by its name; 0 = that is not known.
    """

    __tablename__ = "deployments"
    __table_args__ = (UniqueConstraint("endpoint_id", "name"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    endpoint_id: Mapped[int] = mapped_column(ForeignKey("endpoints.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(String(64))
    model: Mapped[str] = mapped_column(String(128))
    version: Mapped[str] = mapped_column(String(65))
    first_traffic: Mapped[int] = mapped_column(default=0, server_default="0")
    created_at: Mapped[datetime] = mapped_column(default=now)
    created_by: Mapped[str] = mapped_column(String(128))
    endpoint: Mapped[EndpointRow] = relationship(back_populates="deployments")


class TrafficRow(Base):
    """One spread of traffic, never changed; `parent` is the number of the one that a rollback restores."""

    __tablename__ = "traffic"
    __table_args__ = (UniqueConstraint("endpoint_id", "number"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    endpoint_id: Mapped[int] = mapped_column(ForeignKey("endpoints.id", ondelete="CASCADE"))
    number: Mapped[int]
    parent: Mapped[int] = mapped_column(default=0)
    weights: Mapped[Json] = mapped_column(default=dict)
    shadows: Mapped[Json] = mapped_column(default=dict)
    reason: Mapped[str] = mapped_column(default="")
    created_at: Mapped[datetime] = mapped_column(default=now)
    created_by: Mapped[str] = mapped_column(String(128))
    endpoint: Mapped[EndpointRow] = relationship(back_populates="traffic")


class CanaryRow(Base):
    """A schedule that moves traffic to one deployment: state running, done, stepped_back or cancelled."""

    __tablename__ = "canaries"

    id: Mapped[int] = mapped_column(primary_key=True)
    endpoint_id: Mapped[int] = mapped_column(ForeignKey("endpoints.id", ondelete="CASCADE"))
    deployment: Mapped[str] = mapped_column(String(64))
    plan: Mapped[Json] = mapped_column(default=dict)
    state: Mapped[str] = mapped_column(String(16), default="running")
    step: Mapped[int] = mapped_column(default=0)
    step_at: Mapped[datetime] = mapped_column(default=now)
    before: Mapped[int] = mapped_column(default=0)
    reason: Mapped[str] = mapped_column(default="")
    created_at: Mapped[datetime] = mapped_column(default=now)
    created_by: Mapped[str] = mapped_column(String(128))
    endpoint: Mapped[EndpointRow] = relationship(back_populates="canaries")


class ObservedRow(Base):
    """What one gateway saw of one deployment in one window of time.

    `detail` holds counts by latency, and how many requests were refused.
    """

    __tablename__ = "observed"
    __table_args__ = (
        UniqueConstraint("gateway", "endpoint", "deployment", "began_at"),
        Index("ix_observed_endpoint_began_at", "endpoint", "began_at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    gateway: Mapped[str] = mapped_column(String(64))
    endpoint: Mapped[str] = mapped_column(String(128))
    deployment: Mapped[str] = mapped_column(String(64))
    began_at: Mapped[datetime]
    requests: Mapped[int] = mapped_column(default=0)
    errors: Mapped[int] = mapped_column(default=0)
    detail: Mapped[Json] = mapped_column(default=dict)


class DifferenceRow(Base):
    """One answer of a shadow that was not the answer of the deployment that served."""

    __tablename__ = "differences"
    __table_args__ = (Index("ix_differences_endpoint_at", "endpoint", "at"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    endpoint: Mapped[str] = mapped_column(String(128))
    deployment: Mapped[str] = mapped_column(String(64))
    shadow: Mapped[str] = mapped_column(String(64))
    request: Mapped[str] = mapped_column(String(128), default="")
    at: Mapped[datetime] = mapped_column(default=now)
    detail: Mapped[Json] = mapped_column(default=dict)
