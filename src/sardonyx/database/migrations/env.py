"""Run by alembic: hands it the connection that `upgrade` holds."""

from __future__ import annotations

from alembic import context

from sardonyx.database import access, monitoring, registry, traffic  # noqa: F401  the tables
from sardonyx.database.base import Base

context.configure(
    connection=context.config.attributes["connection"], target_metadata=Base.metadata, render_as_batch=True
)
with context.begin_transaction():
    context.run_migrations()
