"""Everything that gateways act on, read at one moment and kept in memory: endpoints, aliases, keys, versions.

Must not know how it is acted on. Reading it again is how several gateways on one database agree.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from sardonyx.database import Database
from sardonyx.database.access import KeyRow
from sardonyx.database.registry import ChangeRow, ModelRow, VersionRow
from sardonyx.database.traffic import EndpointRow
from sardonyx.protocol.errors import ServeError
from sardonyx.protocol.messages import Principal
from sardonyx.protocol.records import File
from sardonyx.registry.artefacts import files_of
from sardonyx.registry.catalog import resolve
from sardonyx.registry.endpoints import current_traffic, running_canary
from sardonyx.serve.seams import Target


@dataclass(frozen=True, slots=True)
class KeyState:
    """A key that was not revoked when this was read."""

    principal: Principal
    secret_sha256: str
    quotas: tuple[str, ...]
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class EndpointState:
    """Deployments that can be reached; weights and shadows are percentages, `canary` says if one runs."""

    name: str
    sticky_header: str
    targets: Mapping[str, Target]
    weights: Mapping[str, float]
    shadows: Mapping[str, float]
    canary: bool = False


@dataclass(frozen=True, slots=True)
class VersionState:
    """A version that should be served."""

    model: str
    version: str
    digest: str
    files: tuple[File, ...]
    config: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class State:
    """One moment: `number` counts changes; `models` holds every model's versions, `defaults` its default.

    `closed` says that a key was made once, whatever became of it.
    """

    number: int = -1
    endpoints: Mapping[str, EndpointState] = field(default_factory=dict)
    models: Mapping[str, frozenset[str]] = field(default_factory=dict)
    defaults: Mapping[str, str] = field(default_factory=dict)
    aliases: Mapping[tuple[str, str], str] = field(default_factory=dict)
    keys: Mapping[str, KeyState] = field(default_factory=dict)
    wanted: tuple[VersionState, ...] = ()
    closed: bool = False

    def serves(self, model: str, version: str) -> bool:
        """Whether a version should be served."""
        return any(v.model == model and v.version == version for v in self.wanted)

    def wanting(self, wanted: tuple[VersionState, ...]) -> State:
        """The same with other versions to be served."""
        return replace(self, wanted=wanted)

    def renumbered(self, number: int) -> State:
        """The same with another number of changes."""
        return replace(self, number=number)


def read_state(database: Database) -> State:
    """The state of the database at this moment. Raises ServeError UNAVAILABLE if it is gone."""
    with database.read() as session:
        number = session.scalar(select(ChangeRow.number)) or 0
        query = select(ModelRow).options(selectinload(ModelRow.versions), selectinload(ModelRow.aliases))
        models = {row.name: row for row in session.scalars(query)}
        endpoints = {
            row.name: _endpoint(row, models)
            for row in session.scalars(select(EndpointRow).options(selectinload(EndpointRow.deployments)))
        }
        return State(
            number=number,
            endpoints=endpoints,
            models={name: frozenset(str(v.number) for v in row.versions) for name, row in models.items()},
            defaults={name: str(resolve(row, "").number) for name, row in models.items() if row.versions},
            aliases={
                (name, alias.name): str(alias.version.number)
                for name, row in models.items()
                for alias in row.aliases
            },
            keys=_keys(session),
            wanted=_wanted(models, endpoints),
            closed=session.scalar(select(KeyRow.id).limit(1)) is not None,
        )


def _endpoint(row: EndpointRow, models: Mapping[str, ModelRow]) -> EndpointState:
    targets = {}
    for deployment in row.deployments:
        try:
            version = resolve(models[deployment.model], deployment.version)
        except (KeyError, ServeError):
            continue
        targets[deployment.name] = Target(deployment.model, str(version.number), deployment.name)
    now = current_traffic(row)
    return EndpointState(
        row.name,
        row.sticky_header,
        targets,
        {name: weight for name, weight in (now.weights if now else {}).items() if name in targets},
        {name: share for name, share in (now.shadows if now else {}).items() if name in targets},
        running_canary(row) is not None,
    )


def _keys(session: Session) -> dict[str, KeyState]:
    return {
        row.prefix: KeyState(
            Principal(row.name, frozenset(row.scopes), tuple(row.models)),
            row.secret_sha256,
            tuple(row.quotas),
            row.expires_at,
        )
        for row in session.scalars(select(KeyRow).where(KeyRow.revoked_at.is_(None)))
    }


def _wanted(
    models: Mapping[str, ModelRow], endpoints: Mapping[str, EndpointState]
) -> tuple[VersionState, ...]:
    """What is deployed, and of the rest, unless archived, what has an alias or is the newest of its model."""
    deployed = {(t.model, t.version) for endpoint in endpoints.values() for t in endpoint.targets.values()}
    found = []
    for name, row in models.items():
        named = {alias.version_id for alias in row.aliases}
        if row.versions:
            named.add(row.versions[-1].id)
        found += [
            _version(name, version)
            for version in row.versions
            if (name, str(version.number)) in deployed
            or (version.id in named and version.stage != "archived")
        ]
    return tuple(found)


def _version(model: str, row: VersionRow) -> VersionState:
    return VersionState(model, str(row.number), row.digest, tuple(files_of(row.files)), row.config)
