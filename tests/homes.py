"""Home folders whose database has its tables already: copies of one that is migrated once a process."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from sardonyx.database import Database


@cache
def _migrated() -> bytes:
    with TemporaryDirectory() as folder:
        Database.at_home(Path(folder)).close()
        assert [path.name for path in Path(folder).iterdir()] == ["sardonyx.db"]
        return (Path(folder) / "sardonyx.db").read_bytes()


def prepared(home: Path) -> Path:
    """The folder, with the database that a gateway would make there unless it has one."""
    path = home / "sardonyx.db"
    if not path.exists():
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.touch(0o600)
        path.write_bytes(_migrated())
    return home
