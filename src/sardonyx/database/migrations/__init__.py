"""Brings a database to the tables of this release; one file per step in versions/.

Must not be run by two at once: `Database.migrated` sees to that. Alembic takes long to import, so only a
database that lacks a step has it imported.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, inspect, text

from sardonyx.protocol.errors import Code, ServeError

if TYPE_CHECKING:
    from alembic.config import Config

HEADS = frozenset({"monitoring_0001", "registry_0003"})
_FOLDER = Path(__file__).parent


def configuration() -> Config:
    """What alembic must know to find the steps."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_FOLDER).replace("%", "%%"))
    return config


def upgrade(connection: Connection) -> None:
    """Take every step that is missing, in the transaction of `connection`.

    Raises ServeError UNAVAILABLE if the database was made by a newer release.
    """
    taken = _taken(connection)
    if taken == HEADS:
        return
    from alembic import command
    from alembic.script import ScriptDirectory

    config = configuration()
    steps = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if unknown := taken - steps:
        raise ServeError(
            Code.UNAVAILABLE,
            f"the database has tables of a newer release of sardonyx ({', '.join(sorted(unknown))}); "
            "install that release or newer",
        )
    config.attributes["connection"] = connection
    command.upgrade(config, "heads")


def _taken(connection: Connection) -> set[str]:
    """The last step of each branch that the database has taken."""
    if not inspect(connection).has_table("alembic_version"):
        return set()
    return set(connection.scalars(text("SELECT version_num FROM alembic_version")))
