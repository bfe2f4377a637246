"""One server with everything: data plane, registry, keys, traffic and their administration.

Decides what is put together and in which order it starts and stops. Must not know how any part works.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from sqlalchemy import URL
from starlette.responses import RedirectResponse

from sardonyx.client.outbound import Outbound
from sardonyx.database import Database
from sardonyx.gateway.api import PREFIX, api
from sardonyx.gateway.applied import Applied
from sardonyx.gateway.console.access import guarded, hosts_of
from sardonyx.gateway.console.application import Console
from sardonyx.gateway.console.parts import Parts
from sardonyx.gateway.operations import Administration
from sardonyx.gateway.options import GatewayOptions
from sardonyx.gateway.traffic import TrafficObserver
from sardonyx.monitor.monitoring import Gauge, Monitoring, MonitorOptions
from sardonyx.ort.logger import ERROR, log
from sardonyx.protocol.errors import Code, ServeError
from sardonyx.registry.artefacts import ArtefactStore
from sardonyx.registry.canary import Canaries
from sardonyx.registry.fetching import Fetching
from sardonyx.registry.guard import RegistryGuard
from sardonyx.registry.quotas import Quotas
from sardonyx.registry.router import RegistryRouter
from sardonyx.registry.snapshot import Snapshot
from sardonyx.registry.source import RegistrySource
from sardonyx.registry.tokens import ProviderTokens
from sardonyx.registry.watch import Watch
from sardonyx.serve.core import Core
from sardonyx.serve.http.exchange import Application
from sardonyx.serve.options import ServeOptions
from sardonyx.serve.seams import Observer, Offer, Source
from sardonyx.serve.server import Server

_RARE_ROUNDS = 20
_SETTLE_S = 1.0


class Gateway:
    """A server over a registry; `async with Gateway(...) as gateway:` serves while the block runs.

    `sources` are served beside the registry; where names meet, they are served and the registry's are not.
    """

    def __init__(
        self,
        options: GatewayOptions,
        serve: ServeOptions | None = None,
        sources: Sequence[Source] = (),
        observers: Sequence[Observer] = (),
        mounts: Mapping[str, Application] | None = None,
    ) -> None:
        self.options = options
        outbound = Outbound(private=options.allow_private_urls)
        self.database = Database(_database_url(options), migrate=False)
        self.store = ArtefactStore(options.artefacts or options.home / "artefacts", options.home / "work")
        self.watch = Watch(self.database)
        self.applied = Applied(self.watch.state)
        self.tokens = ProviderTokens(options.provider, Outbound(private=True)) if options.provider else None
        self.guard = self._guarding()
        fetching = Fetching(stores=options.allow_sources, outbound=outbound)
        self.administration = Administration(self.database, self.store, fetching)
        self._traffic = TrafficObserver(self.applied.state, self.database)
        self._canaries = Canaries(self.database)
        self._registry = RegistrySource(self.applied.needed, self.store, options.patterns)
        self.core = Core(
            _Sources([*sources, self._registry]),
            serve or ServeOptions(),
            self.guard,
            RegistryRouter(self.applied.state),
            [self._traffic, *observers],
        )
        self.monitoring = Monitoring(
            options.monitoring or MonitorOptions(options.home), self.database, self._gauges, self.core.trace
        )
        self.core.observers.append(self.monitoring)
        self.administration.monitors = self.monitoring.watch
        self.console = Console(
            Parts(
                self.core,
                self.monitoring,
                self.guard,
                self.administration,
                self._changed,
                hosts_of(self.core.options.host),
                options.home / "vision",
            )
        )
        administration = api(self.administration, self.guard, self._changed)
        self.server = Server(
            self.core,
            mounts={
                PREFIX: administration,
                "/": RedirectResponse("console"),
                "/console": self.console,
                "/metrics": guarded(self.monitoring.metrics.application(), self.guard),
                **(mounts or {}),
            },
        )
        self._snapshot = Snapshot(options.home / "state.bin")
        self._rounds = 0

    def _guarding(self) -> RegistryGuard:
        options, quotas = self.options, Quotas(self.database)
        return RegistryGuard(
            self.watch.state,
            local=options.trusted,
            tokens=self.tokens,
            required=options.require_keys,
            quotas=quotas,
        )

    async def __aenter__(self) -> Gateway:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self, *, listen: bool = True) -> None:
        """Read the state, load the models, listen. What was known last serves if the database is gone."""
        self.read()
        if self.tokens is not None:
            self.tokens.refresh_if_old()
        self.applied.adopt(self.watch.state())
        self.watch.on_change += [self._snapshot.write, self.applied.announce]
        self.watch.every_round += [
            self._refresh_tokens,
            self._traffic.flush,
            self.guard.quotas.exchange,
            lambda: self.guard.denied.write(self.database),
            self._advance,
            self._tidy,
        ]
        self.monitoring.start()
        await (self.server.start() if listen else self.core.start())
        await self.applied.follow(self.core)
        self.watch.start()

    async def stop(self) -> None:
        """Answer what was accepted, then close everything."""
        self.console.close()
        self.watch.stop()
        await self.applied.stop()
        await self.server.stop()
        await asyncio.to_thread(self.monitoring.close)
        self.database.close()

    async def hold(self, name: str) -> None:
        """Serve a model of the registry, or what an endpoint of that name asks, beside what is served."""
        self._registry.patterns |= self._models_of(name)
        await self.core.refresh()

    async def release(self, name: str) -> None:
        """Let go of what `hold` brought."""
        self._registry.patterns -= self._models_of(name)
        await self.core.refresh()

    def registered(self, pattern: str) -> bool:
        """Whether a model or an endpoint of the registry has a name that matches the shell pattern."""
        self.read()
        state = self.watch.state()
        return any(fnmatchcase(name, pattern) for name in (*state.models, *state.endpoints))

    def read(self) -> None:
        """Read the state; what was known last counts if the database is gone. Raises ServeError."""
        self.options.home.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            self.database.prepare()
            self._snapshot.write(self.watch.refresh())
        except ServeError as error:
            last = self._snapshot.read()
            if last is None:
                raise
            log(ERROR, f"{error.message}; what was known last is served")
            self.watch.begin_with(last)

    def _models_of(self, name: str) -> frozenset[str]:
        name = name.partition("@")[0]
        endpoint = self.watch.state().endpoints.get(name)
        return frozenset({name, *(t.model for t in endpoint.targets.values())} if endpoint else {name})

    def _changed(self) -> None:
        """After an act: wait until this gateway routes by it, so that who acted finds it done.

        What is no longer wanted is gone, too, unless it takes long to answer what it has accepted.
        """
        state = self.watch.refresh()
        if not self.applied.wait(state.number, self.options.apply_s):
            raise ServeError(
                Code.UNAVAILABLE,
                f"the change is made, but loading its model takes more than {self.options.apply_s:.0f} s; "
                "it is served once loaded",
            )
        self.applied.settle(state.number, _SETTLE_S)

    def _gauges(self) -> list[Gauge]:
        waiting = {(model.name, model.version): model.depth for model in self.core.repository.loaded()}
        sizes = self.core.repository.sizes()
        rows = [(row["name"], row["version"]) for row in self.core.index()]
        ready = {(row["name"], row["version"]) for row in self.core.index(ready=True)} & waiting.keys()
        return [
            Gauge(*row, ready=row in ready, waiting=waiting.get(row, 0), memory_bytes=sizes.get(row, 0))
            for row in rows
        ]

    def _advance(self) -> None:
        if any(endpoint.canary for endpoint in self.watch.state().endpoints.values()):
            self._canaries.advance()

    def _refresh_tokens(self) -> None:
        if self.tokens is not None:
            self.tokens.refresh_if_old()

    def _tidy(self) -> None:
        """What is needed seldom."""
        self._rounds += 1
        if self._rounds % _RARE_ROUNDS:
            return
        if self.server.credentials is not None:
            self.server.credentials.renew()
        self.store.prune({version.digest for version in self.applied.needed().wanted})
        if self._registry.incomplete:
            self.applied.again()
        if self.guard.used:
            used, self.guard.used = self.guard.used, {}
            self.administration.keys.used(used)


class _Sources:
    """Several sources as one; of equal names the first one's versions are taken."""

    def __init__(self, sources: Sequence[Source]) -> None:
        self._sources = sources

    def offers(self) -> Sequence[Offer]:
        found: list[Offer] = []
        for source in self._sources:
            taken = {offer.name for offer in found}
            found += [offer for offer in source.offers() if offer.name not in taken]
        return found


def _database_url(options: GatewayOptions) -> str | URL:
    if options.database:
        return options.database
    path: Path = options.home / "sardonyx.db"
    return URL.create("sqlite", database=str(path))
