"""Tables of models: versions with their content, aliases, and the counter that says that something changed.

Must not know what a version is checked for or where its files lie.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from sardonyx.database.base import Base, Json, now


class ChangeRow(Base):
    """One row: how often anything that gateways act on has changed."""

    __tablename__ = "changes"

    id: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(default=0)


class ModelRow(Base):
    """A name under which versions are kept; `next_version` never goes back."""

    __tablename__ = "models"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(128), unique=True)
    description: Mapped[str] = mapped_column(default="")
    tags: Mapped[Json] = mapped_column(default=dict)
    next_version: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[datetime] = mapped_column(default=now)
    created_by: Mapped[str] = mapped_column(String(128))
    versions: Mapped[list[VersionRow]] = relationship(
        back_populates="model", cascade="all, delete-orphan", order_by="VersionRow.number"
    )
    aliases: Mapped[list[AliasRow]] = relationship(
        back_populates="model", cascade="all, delete-orphan", order_by="AliasRow.name"
    )


class VersionRow(Base):
    """An immutable version: `digest` is of its manifest, `files` the manifest's rows."""

    __tablename__ = "versions"
    __table_args__ = (UniqueConstraint("model_id", "number"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    model_id: Mapped[int] = mapped_column(ForeignKey("models.id", ondelete="CASCADE"))
    number: Mapped[int]
    digest: Mapped[str] = mapped_column(String(64), index=True)
    files: Mapped[Json] = mapped_column(default=dict)
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    stage: Mapped[str] = mapped_column(String(32), default="none")
    description: Mapped[str] = mapped_column(default="")
    tags: Mapped[Json] = mapped_column(default=dict)
    signature: Mapped[Json] = mapped_column(default=dict)
    lineage: Mapped[Json] = mapped_column(default=dict)
    checks: Mapped[Json] = mapped_column(default=dict)
    config: Mapped[Json] = mapped_column(default=dict)
    created_at: Mapped[datetime] = mapped_column(default=now)
    created_by: Mapped[str] = mapped_column(String(128))
    model: Mapped[ModelRow] = relationship(back_populates="versions")


class AliasRow(Base):
    """A name that points at one version of a model and may be moved."""

    __tablename__ = "aliases"
    __table_args__ = (UniqueConstraint("model_id", "name"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    model_id: Mapped[int] = mapped_column(ForeignKey("models.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(String(64))
    version_id: Mapped[int] = mapped_column(ForeignKey("versions.id", ondelete="CASCADE"))
    model: Mapped[ModelRow] = relationship(back_populates="aliases")
    version: Mapped[VersionRow] = relationship()
