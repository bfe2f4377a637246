"""The state in memory and on disk: what is wanted, and that a snapshot says the same."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from sardonyx.database import Database
from sardonyx.protocol.records import NewDeployment, NewKey, Version, VersionChange
from sardonyx.registry.catalog import Catalog
from sardonyx.registry.endpoints import Endpoints
from sardonyx.registry.keys import Keys
from sardonyx.registry.snapshot import Snapshot
from sardonyx.registry.state import read_state

Enter = Callable[..., Version]


def test_what_is_deployed_aliased_or_newest_is_wanted(
    catalog: Catalog, database: Database, enter: Enter, tmp_path: Path
) -> None:
    for _ in range(5):
        enter("digits")
    catalog.set_alias("digits", "champion", "2", "tester")
    endpoints = Endpoints(database)
    endpoints.deploy("sum", NewDeployment(model="digits", version="1"), "tester")
    endpoints.deploy("sum", NewDeployment(model="digits", version="@champion"), "tester")
    state = read_state(database)
    assert state.served == {("digits", version) for version in ("1", "2", "5")}
    assert state.defaults == {"digits": "2"}
    assert {name: target.version for name, target in state.endpoints["sum"].targets.items()} == {
        "blue": "1",
        "green": "2",
    }
    for version in ("1", "5"):
        catalog.change_version("digits", version, VersionChange(stage="archived"), "tester")
    assert {version for _, version in read_state(database).served} == {"1", "2"}

    Keys(database).create(NewKey(name="shop", role="user", models=["d*"], quotas=["3/minute"]), "tester")
    state = read_state(database)
    assert state.closed
    snapshot = Snapshot(tmp_path / "state.bin")
    snapshot.write(state)
    assert snapshot.read() == state
    assert snapshot.read().served == state.served  # type: ignore[union-attr]
    (tmp_path / "state.bin").write_bytes(b"\xa5" * 100)
    assert snapshot.read() is None
