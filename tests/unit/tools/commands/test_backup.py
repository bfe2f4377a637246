"""`sardonyx backup` writes a database that can be read, and never over another file."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from sardonyx.database import Database
from sardonyx.tools.commands import backup
from sardonyx.tools.console import UserError
from tests.unit.tools.commands.running import run


def test_a_copy_of_the_home_s_database(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    home, copy = tmp_path / "home", tmp_path / "copy.db"
    Database.at_home(home).close()
    assert run(backup, "backup", str(copy), "--home", str(home), "--json") == 0
    assert json.loads(capsys.readouterr().out) == {"file": str(copy), "size_bytes": copy.stat().st_size}
    with closing(sqlite3.connect(copy)) as database:
        assert database.execute("select name from sqlite_master").fetchall()
    with pytest.raises(UserError, match=r"copy\.db exists already"):
        run(backup, "backup", str(copy), "--home", str(home))
    assert run(backup, "backup", str(tmp_path / "other"), "--home", str(home)) == 0
    assert capsys.readouterr().out.startswith(f"{tmp_path / 'other'}: ")
