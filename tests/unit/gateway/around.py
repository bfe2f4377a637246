"""The administration of a home folder, and records of it, without a server."""

from __future__ import annotations

from pathlib import Path

from sardonyx.client.content import content_of
from sardonyx.database import Database
from sardonyx.datasets import get_example
from sardonyx.gateway.operations import Administration
from sardonyx.monitor.book import Book
from sardonyx.monitor.store import Store
from sardonyx.monitor.watch import Baselines, Watch
from sardonyx.protocol.records import Registration, Signature, Version
from sardonyx.registry.artefacts import ArtefactStore
from sardonyx.registry.checks import Examination
from sardonyx.registry.fetching import Fetching
from tests.homes import prepared


def administration(home: Path, *, watches: bool = True) -> Administration:
    """Everything that can be administered over a fresh home."""
    database = Database.at_home(prepared(home))
    made = Administration(database, ArtefactStore(home / "artefacts", home / "work"), Fetching(paths=True))
    if watches:
        made.monitors = Watch(Book(database), Store(home / "payload"), Baselines(home / "baselines"))
    return made


def entered(
    made: Administration, model: str, *, signature: Signature | None = None, **options: object
) -> Version:
    """Another version of a model, without the time that its checks would take."""
    source = Path(get_example("mul_1.onnx"))
    registration = Registration(source=str(source), **options)  # type: ignore[arg-type]
    examination = Examination(signature or Signature(), ())
    return made.catalog.add_version(
        model, registration, examination, lambda: made.store.put(content_of(source)), "tester"
    )
