"""A first step alone, in an empty database."""

from __future__ import annotations

from collections.abc import Callable

from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import Connection, create_engine, inspect


def made_by(step: Callable[[], None]) -> Connection:
    """A connection to a database in memory in which a step was taken."""
    connection = create_engine("sqlite://").connect()
    with Operations.context(MigrationContext.configure(connection)):
        step()
    return connection


def parents(made: Connection, table: str) -> set[tuple[str, str]]:
    """The tables that rows of a table belong to, and what happens to them when those go."""
    keys = inspect(made).get_foreign_keys(table)
    return {(key["referred_table"], key["options"].get("ondelete", "")) for key in keys}
