"""A home folder with a registry in it, and versions entered without being examined."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sardonyx.client.content import content_of
from sardonyx.database import Database
from sardonyx.datasets import get_example
from sardonyx.protocol.records import Registration, Signature, Version
from sardonyx.registry.artefacts import ArtefactStore
from sardonyx.registry.catalog import Catalog
from sardonyx.registry.checks import Examination
from tests.homes import prepared


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
