"""Brings a database to the tables of this release; one file per step in versions/.

Must not be run by two at once: `Database.migrated` sees to that.
"""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from sardonyx.protocol.errors import Code, ServeError

_FOLDER = Path(__file__).parent


def configuration() -> Config:
    """What alembic must know to find the steps."""
    config = Config()
    config.set_main_option("script_location", str(_FOLDER).replace("%", "%%"))
    return config


def upgrade(connection: Connection) -> None:
    """Take every step that is missing, in the transaction of `connection`.

    Raises ServeError UNAVAILABLE if the database was made by a newer release.
    """
    config = configuration()
    steps = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    heads = MigrationContext.configure(connection).get_current_heads()
    if unknown := set(heads) - steps:
        raise ServeError(
            Code.UNAVAILABLE,
            f"the database has tables of a newer release of sardonyx ({', '.join(sorted(unknown))}); "
            "install that release or newer",
        )
    config.attributes["connection"] = connection
    command.upgrade(config, "heads")
