"""How a version comes into the registry: fetch, find its files, check, store, enter; in this order.

Until the last step nothing can be seen of it, after it everything is on disk. Must not know transports.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import msgspec

from sardonyx.client.content import MODEL, content_of
from sardonyx.client.outbound import shown
from sardonyx.protocol.config import checked_config
from sardonyx.protocol.errors import invalid
from sardonyx.protocol.records import Registration, Version
from sardonyx.registry.artefacts import ArtefactStore
from sardonyx.registry.catalog import Catalog
from sardonyx.registry.checks import LIMIT_S, examined
from sardonyx.registry.fetching import Fetching
from sardonyx.registry.names import checked_name


@dataclass(frozen=True, slots=True)
class Uploaded:
    """What came with a request instead of being named in it."""

    source: Path
    samples: Path | None = None


class Registrar:
    """Registers versions into one catalog."""

    def __init__(
        self, catalog: Catalog, store: ArtefactStore, fetching: Fetching, check_limit_s: float = LIMIT_S
    ) -> None:
        self._catalog = catalog
        self._store = store
        self._fetching = fetching
        self._check_limit_s = check_limit_s

    def register(
        self, model: str, registration: Registration, actor: str, uploaded: Uploaded | None = None
    ) -> Version:
        """A new version of `model`, from what was uploaded or else from the source that is named.

        Raises ServeError INVALID_ARGUMENT if checks fail: the message holds what they found.
        """
        checked_name(model, "a model")
        if uploaded is not None:
            return self._enter(model, registration, actor, uploaded)
        with self._store.scratch() as scratch:
            source = self._fetching.fetched(registration.source, _folder(scratch, "source"))
            samples = None
            if registration.samples:
                samples = self._fetching.fetched(registration.samples, _folder(scratch, "samples"))
            return self._enter(model, registration, actor, Uploaded(source, samples))

    def _enter(self, model: str, registration: Registration, actor: str, found: Uploaded) -> Version:
        if registration.config:
            config = checked_config(registration.config, model)
            registration = msgspec.structs.replace(registration, config=config)
        content = content_of(found.source)
        examination = examined(content[MODEL], found.samples, self._check_limit_s)
        if examination.failed and not registration.force:
            why = "; ".join(f"{check.name}: {check.detail}" for check in examination.failed)
            raise invalid(
                f"{_without_secrets(registration.source)} is not registered. {why} (force would register it)"
            )
        lineage = registration.lineage
        if not lineage.source:
            lineage = msgspec.structs.replace(lineage, source=_without_secrets(registration.source))
        registration = msgspec.structs.replace(registration, lineage=lineage)
        return self._catalog.add_version(
            model, registration, examination, lambda: self._store.put(content), actor
        )


def _without_secrets(source: str) -> str:
    return shown(source) if "://" in source else source


def _folder(scratch: Path, name: str) -> Path:
    folder = scratch / name
    folder.mkdir()
    return folder
