"""The models that are or could be served: loading, replacing and unloading them while others answer.

Decides what is in memory and in which state; must not know requests or transports. Lives on one event loop.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

from sardonyx.protocol.config import Config, checked_config
from sardonyx.protocol.errors import Code, ServeError, invalid, not_found
from sardonyx.protocol.rest import parse
from sardonyx.serve.ensemble import Ensemble, check_fit, parts_first
from sardonyx.serve.folder import FolderSource
from sardonyx.serve.memory import give_back_memory, resident_bytes
from sardonyx.serve.opening import Servable, place, prepare
from sardonyx.serve.options import ServeOptions
from sardonyx.serve.seams import Offer, Source
from sardonyx.serve.settings import LOGGER
from sardonyx.serve.signature import Signature

READY, LOADING, UNLOADING, UNAVAILABLE = "READY", "LOADING", "UNLOADING", "UNAVAILABLE"
UNLOADED = "unloaded"
_RETRY_S = 1.0


@dataclass(slots=True)
class Entry:
    """A version that is or could be served, with the reason if it is not.

    One that is READY without a model gave way to others and is loaded when it is asked; an ensemble that is
    UNAVAILABLE with a model waits for steps that fit it. `size` is about
    what it takes, in bytes; `loaded_ns` when it was loaded, Unix time; `refused` the digest of what should
    have replaced it and could not.
    """

    offer: Offer
    state: str = UNAVAILABLE
    reason: str = ""
    model: Servable | None = None
    refused: str = ""
    size: int = 0
    loaded_ns: int = 0


class Repository:
    """Models by name and version, as a source offers them."""

    def __init__(self, source: Source, options: ServeOptions) -> None:
        self.source = source
        self._options = options
        self._entries: dict[str, dict[str, Entry]] = {}
        self._ready: dict[tuple[str, str], Servable] = {}
        self._changing = asyncio.Lock()
        self._uploads: dict[str, tuple[tempfile.TemporaryDirectory[str], list[Offer]]] = {}

    def model(self, name: str, version: str = "") -> Servable:
        """The loaded model; NOT_FOUND if there is none of that name, UNAVAILABLE if it is not loaded."""
        model = self._ready.get((name, version))
        if model is not None:
            return model
        raise _not_ready(name, self._entry(name, version))

    def serving(self, name: str, version: str = "") -> Servable | None:
        """The loaded model, None if there is none."""
        return self._ready.get((name, version))

    async def awake(self, name: str, version: str = "") -> Servable:
        """The loaded model, which is loaded now if it gave way to others; raises what `model` raises."""
        model = self._ready.get((name, version))
        if model is not None:
            return model
        entry = self._entry(name, version)
        if entry.state == READY:
            async with self._changing:
                if entry.state == READY and entry.model is None:
                    await self._replace(self._entries[name], entry.offer)
            entry = self._entry(name, version)
        if entry.model is None or entry.state != READY:
            raise _not_ready(name, entry)
        return entry.model

    def ready(self, name: str = "", version: str = "") -> bool:
        """Whether a model can be asked, or without a name all that must be; NOT_FOUND if unknown."""
        if name:
            return self._entry(name, version).state == READY
        entries = [entry for versions in self._entries.values() for entry in versions.values()]
        return not self._options.strict_readiness or all(
            entry.state == READY or entry.reason == UNLOADED or not entry.offer.essential for entry in entries
        )

    def versions(self, name: str) -> list[str]:
        """The versions of a model that can be asked."""
        return [version for version, entry in self._entries.get(name, {}).items() if entry.state == READY]

    def index(self, *, ready: bool = False) -> list[dict[str, str]]:
        """All versions with state and reason; with `ready`, only those that can be asked."""
        return [
            {"name": name, "version": version, "state": entry.state, "reason": entry.reason}
            for name, versions in self._entries.items()
            for version, entry in versions.items()
            if not ready or entry.state == READY
        ]

    def loaded(self, name: str = "", version: str = "") -> list[Servable]:
        """The loaded models of a name and version; of all where these are empty."""
        return [
            entry.model
            for known, versions in self._entries.items()
            for number, entry in versions.items()
            if entry.model is not None and name in ("", known) and version in ("", number)
        ]

    def sizes(self) -> dict[tuple[str, str], int]:
        """About how many bytes of memory each loaded version takes, by name and version."""
        return {
            (name, version): entry.size
            for name, versions in self._entries.items()
            for version, entry in versions.items()
            if entry.model is not None
        }

    async def refresh(self) -> None:
        """Look at the source anew: load what is new, replace what changed, unload what is gone."""
        offers = await self._look()
        async with self._changing:
            names = set(self._entries) | {offer.name for offer in offers}
            await self._follow(offers, names - set(self._uploads))

    async def load(
        self,
        name: str,
        config: Mapping[str, Any] | str | None = None,
        files: Mapping[str, bytes] | None = None,
    ) -> None:
        """Load or reload a model from the source, or from `files` (path below its folder: content) instead.

        `config` replaces its configuration, as an object or as JSON. INVALID_ARGUMENT with the reason if
        it fails; a version that served before goes on then.
        """
        async with self._changing:
            offers = await self._offered(name, config, files)
            await self._follow(offers, {name}, reload=True)
            failed = [entry.reason for entry in self._entries[name].values() if entry.reason]
            if failed and files and not self.loaded(name):
                del self._entries[name]  # nobody offers it: it was sent, and is not a model
                self._forget(name)
        if failed:
            raise invalid(f"failed to load '{name}': {failed[0]}")

    async def _offered(
        self, name: str, config: Mapping[str, Any] | str | None, files: Mapping[str, bytes] | None
    ) -> list[Offer]:
        if files and config is None:
            raise invalid(f"failed to load '{name}': override files need a 'config' beside them")
        changed = None if config is None else _override(name, config)
        if files:
            try:
                offers = await asyncio.to_thread(self._store, name, files)
            except OSError as error:
                text = f"failed to load '{name}', failed to poll from model repository: "
                raise ServeError(Code.INTERNAL, text + (error.strerror or str(error))) from None
        else:
            self._forget(name)
            offers = list(await self._look())
        offers = [offer for offer in offers if offer.name == name]
        if not offers:
            text = "failed to poll from model repository: there is no such model"
            raise invalid(f"failed to load '{name}', {text}")
        return offers if changed is None else [replace(offer, config=changed, fault="") for offer in offers]

    async def _look(self) -> Sequence[Offer]:
        try:
            return await asyncio.to_thread(self.source.offers)
        except OSError as error:
            where = f"{error.filename}: " if error.filename else ""
            text = f"the models cannot be read now: {where}{error.strerror or error}"
            raise ServeError(Code.UNAVAILABLE, text, _RETRY_S) from None

    async def unload(self, name: str, *, dependents: bool = False) -> None:
        """Answer what is queued for a model and let go of its memory; it stays in the index.

        With `dependents`, the models that an ensemble asks go too.
        """
        if name not in self._entries:
            raise not_found(f"failed to unload '{name}', no such model")
        names = [name]
        if dependents:
            models = [entry.model for entry in self._entries[name].values()]
            names += [step.model for model in models if isinstance(model, Ensemble) for step in model.steps]
        async with self._changing:
            for known in dict.fromkeys(names):
                await self._retire(UNLOADED, *self._entries.get(known, {}).values())

    async def close(self) -> None:
        """Answer what is queued and let go of everything."""
        async with self._changing:
            entries = (entry for versions in self._entries.values() for entry in versions.values())
            await self._retire("the server stops", *entries)
            for name in list(self._uploads):
                self._forget(name)

    def _entry(self, name: str, version: str) -> Entry:
        versions = self._entries.get(name)
        if not versions:
            raise not_found(f"Request for unknown model: '{name}' is not found")
        if version and version not in versions:
            raise not_found(f"Request for unknown model: '{name}' version {version} is not found")
        return versions[version or _latest(versions)]

    async def _follow(self, offers: Sequence[Offer], names: set[str], *, reload: bool = False) -> None:
        wanted = {(offer.name, offer.version): offer for offer in offers if offer.name in names}
        for (name, version), offer in wanted.items():
            self._entries.setdefault(name, {}).setdefault(version, Entry(offer, LOADING))
        for offer in parts_first(list(wanted.values())):
            versions, version = self._entries[offer.name], offer.version
            old = versions[version]
            if reload or old.state == LOADING or offer.digest not in (old.offer.digest, old.refused):
                await self._replace(versions, offer)
        gone = [(n, v) for n in names for v in self._entries.get(n, {}) if (n, v) not in wanted]
        await self._retire("removed", *(self._entries[name].pop(version) for name, version in gone))
        for name in names:
            if not self._entries.get(name, True):
                del self._entries[name]
        self._index()
        await self._try_again()

    async def _try_again(self) -> None:
        """Load the ensembles that were refused for their steps, which may fit by now."""
        entries = [entry for versions in self._entries.values() for entry in versions.values()]
        refused = [e for e in entries if e.model is None and e.state == UNAVAILABLE and e.reason != UNLOADED]
        for offer in parts_first([e.offer for e in refused if "ensemble_scheduling" in e.offer.config]):
            await self._replace(self._entries[offer.name], offer)

    async def _replace(self, versions: dict[str, Entry], offer: Offer) -> None:
        """Load beside the old one, then swap; if loading fails the old one goes on serving."""
        old = versions[offer.version]
        if old.model is None:
            old.state = LOADING
        before = resident_bytes()
        try:
            prepared = await asyncio.to_thread(prepare, offer, self._options)
            model = place(prepared, self._options, self.awake)
            if isinstance(model, Ensemble):
                check_fit(model.name, model.signature, model.steps, self._signature)
        except Exception as error:
            reason = error.message if isinstance(error, ServeError) else f"{type(error).__name__}: {error}"
            if not isinstance(error, ServeError):
                LOGGER.exception("model '%s' version %s cannot be loaded", offer.name, offer.version)
            if old.model is None:
                versions[offer.version] = Entry(offer, UNAVAILABLE, reason)
            else:
                old.refused = offer.digest
                old.reason = f"the old file goes on serving, the new one was refused: {reason}"
            return
        size = max(resident_bytes() - before, _file_bytes(offer.path))
        entry = versions[offer.version] = Entry(offer, READY, "", model, "", size, time.time_ns())
        self._index()
        await self._retire("replaced", old)
        await self._make_room(entry)

    def _signature(self, name: str, version: str) -> Signature | None:
        entry = self._entry(name, version)
        if entry.state == UNAVAILABLE:
            raise _not_ready(name, entry)
        return None if entry.model is None else entry.model.signature

    async def _make_room(self, newest: Entry) -> None:
        """Let go of the models that were not asked for longest, until the others fit into memory."""
        limit = self._options.memory_bytes
        if limit is None:
            return
        entries = [entry for versions in self._entries.values() for entry in versions.values() if entry.model]
        entries.sort(key=_last_used_ns)
        total = sum(entry.size for entry in entries)
        for entry in entries:
            if total <= limit:
                return
            if entry is newest or entry.model is None or entry.model.depth:
                continue
            total -= entry.size
            await self._retire("", entry, state=READY)

    async def _retire(self, reason: str, *entries: Entry, state: str = UNAVAILABLE) -> None:
        """Let go of models, and of their memory once all are gone: looking for cycles takes long."""
        models = [entry.model for entry in entries if entry.model is not None]
        for entry in entries:
            if entry.model is not None:
                entry.model, entry.state = None, UNLOADING
        self._index()
        if models:
            cycles = any(m.session is None for m in models)  # what a step in Python holds may hold itself
            await asyncio.gather(*(model.close() for model in models))
            models.clear()
            await asyncio.to_thread(give_back_memory, cycles=cycles)
        for entry in entries:
            entry.state, entry.reason = state, reason
        self._index()

    def _index(self) -> None:
        """Make the table that requests look into, without the ensembles whose steps do not fit."""
        entries = {
            (name, version): entry
            for name, versions in self._entries.items()
            for version, entry in versions.items()
            if isinstance(entry.model, Ensemble)
        }
        for offer in parts_first([entry.offer for entry in entries.values()]):
            self._judge(entries[offer.name, offer.version])
        ready: dict[tuple[str, str], Servable] = {}
        for name, versions in self._entries.items():
            models = {
                version: entry.model
                for version, entry in versions.items()
                if entry.model is not None and entry.state == READY
            }
            for version, model in models.items():
                ready[name, version] = model
            if models:
                ready[name, ""] = models[_latest(models)]
        self._ready = ready

    def _judge(self, entry: Entry) -> None:
        """Let a loaded ensemble be READY if its steps fit by now; else what was refused is tried anew."""
        assert isinstance(entry.model, Ensemble)
        try:
            check_fit(entry.model.name, entry.model.signature, entry.model.steps, self._signature)
        except ServeError as error:
            entry.state, entry.reason, entry.refused = UNAVAILABLE, error.message, ""
        else:
            if entry.state == UNAVAILABLE:
                entry.state, entry.reason = READY, ""

    def _store(self, name: str, files: Mapping[str, bytes]) -> list[Offer]:
        for path in files:
            _check_path(name, PurePosixPath(path))
        folder = tempfile.TemporaryDirectory(prefix="sardonyx-upload-")
        root = Path(folder.name) / "model"
        try:
            for path, content in files.items():
                file = root / path
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(content)
            offers = list(FolderSource(root, name, programs=False).offers())
        except BaseException:
            folder.cleanup()
            raise
        self._forget(name)
        self._uploads[name] = folder, offers
        return offers

    def _forget(self, name: str) -> None:
        held = self._uploads.pop(name, None)
        if held is not None:
            held[0].cleanup()


def _file_bytes(path: Path) -> int:
    """The size of a file, 0 if it was removed since it was read."""
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _check_path(name: str, path: PurePosixPath) -> None:
    if path.is_absolute() or not path.parts or ".." in path.parts:
        raise invalid(f"failed to load '{name}': '{path}' is not a path below the folder of a model")
    if path.suffix == ".py":
        raise invalid(f"failed to load '{name}': '{path}' is a program; those are not taken from clients")


def _not_ready(name: str, entry: Entry) -> ServeError:
    reason = f": {entry.reason}" if entry.reason else ""
    text = f"Request for unknown model: '{name}' is not ready: {entry.state.lower()}{reason}"
    return ServeError(Code.UNAVAILABLE, text)


def _last_used_ns(entry: Entry) -> int:
    assert entry.model is not None
    return max(entry.loaded_ns, entry.model.statistics.last_ns)


def _override(name: str, config: Mapping[str, Any] | str) -> Config:
    try:
        given = parse(config.encode()) if isinstance(config, str) else config
        if not isinstance(given, Mapping):
            raise invalid("the configuration must be a JSON object")
        return checked_config(given, name)
    except ServeError as error:
        raise invalid(f"failed to load '{name}': {error.message}") from None


def _latest(versions: Mapping[str, object]) -> str:
    """The greatest number, else the last in the alphabet."""
    return max(
        versions, key=lambda version: (version.isdigit(), int(version) if version.isdigit() else 0, version)
    )
