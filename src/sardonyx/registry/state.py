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
from sardonyx.database.registry import AliasRow, ChangeRow, ModelRow, VersionRow
from sardonyx.database.traffic import EndpointRow
from sardonyx.protocol.messages import Principal
from sardonyx.protocol.records import File
from sardonyx.registry.artefacts import files_of
from sardonyx.registry.endpoints import running_canary
from sardonyx.registry.references import CHAMPION
from sardonyx.registry.sharing import current_traffic
from sardonyx.serve.seams import Target

_AT_ONCE = 500


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
    """A version that should be served; `endpoints` are those that it is deployed under."""

    model: str
    version: str
    digest: str
    files: tuple[File, ...]
    config: Mapping[str, Any]
    endpoints: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class State:
    """One moment: `number` counts changes; `models` holds every model's versions, `defaults` its default.

    `closed` says that a key was made once, whatever became of it; `served` are the names of what is `wanted`.
    """

    number: int = -1
    endpoints: Mapping[str, EndpointState] = field(default_factory=dict)
    models: Mapping[str, frozenset[str]] = field(default_factory=dict)
    defaults: Mapping[str, str] = field(default_factory=dict)
    aliases: Mapping[tuple[str, str], str] = field(default_factory=dict)
    keys: Mapping[str, KeyState] = field(default_factory=dict)
    wanted: tuple[VersionState, ...] = ()
    closed: bool = False
    served: frozenset[tuple[str, str]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "served", frozenset((v.model, v.version) for v in self.wanted))

    def wanting(self, wanted: tuple[VersionState, ...]) -> State:
        """The same with other versions to be served."""
        return replace(self, wanted=wanted)

    def renumbered(self, number: int) -> State:
        """The same with another number of changes."""
        return replace(self, number=number)


@dataclass(slots=True)
class _Known:
    """What is read of every model: ids of versions by number, stages by number, numbers by alias."""

    ids: dict[int, int] = field(default_factory=dict)
    stages: dict[int, str] = field(default_factory=dict)
    aliases: dict[str, int] = field(default_factory=dict)

    def meant(self, reference: str) -> int | None:
        """The number of the version that a reference means (see `references.resolve`), or None."""
        if reference.startswith("@"):
            return self.aliases.get(reference[1:])
        if reference:
            return int(reference) if reference.isdecimal() and int(reference) in self.ids else None
        return self.aliases.get(CHAMPION) or max(self.ids, default=None)


def read_state(database: Database) -> State:
    """The state of the database at this moment. Raises ServeError UNAVAILABLE if it is gone.

    Rows are read as tuples, since of thousands of versions few are served.
    """
    with database.read() as session:
        models = _models(session)
        endpoints = {
            row.name: _endpoint(row, models)
            for row in session.scalars(select(EndpointRow).options(selectinload(EndpointRow.deployments)))
        }
        return State(
            number=session.scalar(select(ChangeRow.number)) or 0,
            endpoints=endpoints,
            models={name: frozenset(map(str, known.ids)) for name, known in models.items()},
            defaults={name: str(known.meant("")) for name, known in models.items() if known.ids},
            aliases={
                (name, alias): str(number)
                for name, known in models.items()
                for alias, number in known.aliases.items()
            },
            keys=_keys(session),
            wanted=_wanted(session, models, endpoints),
            closed=session.scalar(select(KeyRow.id).limit(1)) is not None,
        )


def _models(session: Session) -> dict[str, _Known]:
    names = {row.id: row.name for row in session.execute(select(ModelRow.id, ModelRow.name))}
    found = {name: _Known() for name in names.values()}
    versions = select(VersionRow.model_id, VersionRow.number, VersionRow.id, VersionRow.stage)
    for model, number, id, stage in session.execute(versions.order_by(VersionRow.id)):
        found[names[model]].ids[number] = id
        found[names[model]].stages[number] = stage
    aliases = select(AliasRow.model_id, AliasRow.name, VersionRow.number).join(AliasRow.version)
    for model, alias, number in session.execute(aliases):
        found[names[model]].aliases[alias] = number
    return found


def _endpoint(row: EndpointRow, models: Mapping[str, _Known]) -> EndpointState:
    targets = {}
    for deployment in row.deployments:
        number = models[deployment.model].meant(deployment.version) if deployment.model in models else None
        if number is not None:
            targets[deployment.name] = Target(deployment.model, str(number), deployment.name)
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
    session: Session, models: Mapping[str, _Known], endpoints: Mapping[str, EndpointState]
) -> tuple[VersionState, ...]:
    """What is deployed, and of the rest, unless archived, what has an alias or is the newest of its model."""
    ids: dict[int, str] = {}
    under: dict[int, set[str]] = {}
    for endpoint in endpoints.values():
        for target in endpoint.targets.values():
            id = models[target.model].ids[int(target.version)]
            ids[id] = target.model
            under.setdefault(id, set()).add(endpoint.name)
    for name, known in models.items():
        for number in {*known.aliases.values(), *(() if not known.ids else (max(known.ids),))}:
            if known.stages[number] != "archived":
                ids[known.ids[number]] = name
    columns = (VersionRow.id, VersionRow.number, VersionRow.digest, VersionRow.files, VersionRow.config)
    found = []
    wanted = sorted(ids)
    for first in range(0, len(wanted), _AT_ONCE):
        part = wanted[first : first + _AT_ONCE]
        rows = session.execute(select(*columns).where(VersionRow.id.in_(part)).order_by(VersionRow.id))
        found += [
            VersionState(
                ids[id], str(number), digest, tuple(files_of(files)), config, frozenset(under.get(id, ()))
            )
            for id, number, digest, files, config in rows
        ]
    return tuple(found)
