"""The registry as a source of models for the data plane: versions that should be served, as local folders.

Must not know how models are loaded.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase

from sardonyx.client.content import MODEL
from sardonyx.ort.logger import ERROR, log
from sardonyx.protocol.errors import ServeError
from sardonyx.registry.artefacts import ArtefactStore
from sardonyx.registry.state import State, VersionState
from sardonyx.serve.seams import Offer


class RegistrySource:
    """Offers what the state wants, if the name of its model, or of an endpoint, matches one of `patterns`.

    Of a model that only an endpoint's name asks for, those versions are offered that are deployed there.
    The patterns may be set anew.

    None of it is essential: a version that somebody registers must not take the server out of service.

    `incomplete` says that some of it could not be offered the last time.
    """

    def __init__(
        self, state: Callable[[], State], store: ArtefactStore, patterns: Sequence[str] = ("*",)
    ) -> None:
        self._state = state
        self._store = store
        self.patterns = frozenset(patterns)
        self._offered: dict[tuple[str, str], Offer] = {}
        self.incomplete = False

    def offers(self) -> Sequence[Offer]:
        """One offer per version; one whose files are damaged or gone is offered as before, or left out."""
        wanted = [version for version in self._state().wanted if self._matches(version)]
        found = [offer for version in wanted if (offer := self._offer(version)) is not None]
        self.incomplete = len(found) < len(wanted)
        self._offered = {(offer.name, offer.version): offer for offer in found}
        return found

    def _matches(self, version: VersionState) -> bool:
        names = (version.model, *version.endpoints)
        return any(fnmatchcase(name, pattern) for name in names for pattern in self.patterns)

    def _offer(self, version: VersionState) -> Offer | None:
        try:
            folder = self._store.materialise(version.digest, version.files)
        except (ServeError, OSError) as error:
            log(ERROR, f"{version.model}:{version.version} cannot be served: {error}")
            return self._offered.get((version.model, version.version))
        path = folder / MODEL
        return Offer(version.model, version.version, path, version.digest, version.config, essential=False)
