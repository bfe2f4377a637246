"""A home folder with a registry in it, and versions entered without being examined."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from sardonyx.client.content import content_of
from sardonyx.database import Database
from sardonyx.database.registry import AliasRow
from sardonyx.datasets import get_example
from sardonyx.protocol.records import NewDeployment, Registration, Signature, Spread, Version
from sardonyx.registry.artefacts import ArtefactStore
from sardonyx.registry.catalog import Catalog
from sardonyx.registry.checks import Examination
from sardonyx.registry.endpoints import Endpoints
from tests.homes import prepared
from tests.registry.shops import rows_of


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database.at_home(prepared(tmp_path / "home"))
    yield database
    database.close()


@pytest.fixture
def store(tmp_path: Path) -> ArtefactStore:
    return ArtefactStore(tmp_path / "home/artefacts", tmp_path / "home/work")


@pytest.fixture
def catalog(database: Database, store: ArtefactStore) -> Catalog:
    return Catalog(database, store)


@pytest.fixture
def enter(catalog: Catalog, store: ArtefactStore) -> Callable[..., Version]:
    """`enter("digits")` adds a version of an example model; keywords go into the registration."""

    def entered(
        model: str, example: str = "mul_1.onnx", signature: Signature | None = None, **options: object
    ) -> Version:
        source = get_example(example)
        registration = Registration(source=source, **options)
        content = content_of(Path(source))
        return catalog.add_version(
            *(model, registration, Examination(signature or Signature(), ())),
            lambda: store.put(content),
            "tester",
        )

    return entered


@pytest.fixture
def endpoints(database: Database, enter: Callable[..., Version]) -> Endpoints:
    """`shop` with `blue` and `green`, which take eight numbers, and `other`, which takes nine."""
    for count in (8, 8, 9):
        enter("digits", signature=rows_of(count))
    found = Endpoints(database)
    for version, name in enumerate(("blue", "green", "other"), start=1):
        found.deploy("shop", NewDeployment(model="digits", version=str(version), name=name), "tester")
    return found


@pytest.fixture
def moving(endpoints: Endpoints, catalog: Catalog) -> Endpoints:
    """`blue` shares traffic with `moving`, which follows an alias and takes eight numbers."""
    catalog.set_alias("digits", "champion", "2", "tester")
    endpoints.deploy("shop", NewDeployment(model="digits", version="@champion", name="moving"), "tester")
    endpoints.spread("shop", Spread(weights={"blue": 50, "moving": 50}, shadows={"other": 100}), "tester")
    return endpoints


@pytest.fixture
def mixed(moving: Endpoints, database: Database) -> Endpoints:
    """The same, but `moving` takes nine numbers, as when aliases could be moved to anything."""
    with database.write() as session:
        alias = session.scalars(select(AliasRow)).one()
        alias.version = next(version for version in alias.model.versions if version.number == 3)
    return moving
