"""A database of its own, with all tables."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sardonyx.database import Database


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database.at_home(tmp_path / "home")
    yield database
    database.close()
