"""What administration can do, as a table: path, who may, what goes in and out, and the act itself.

The routes and the OpenAPI text are both made from it. Must not know HTTP.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sardonyx.database import Database
from sardonyx.monitor.watch import Watch
from sardonyx.protocol.errors import invalid
from sardonyx.protocol.messages import Principal
from sardonyx.protocol.records import (
    AuditCheck,
    AuditEntry,
    CanaryPlan,
    Difference,
    Endpoint,
    Identity,
    IssuedKey,
    Key,
    Model,
    ModelChange,
    NewDeployment,
    NewEndpoint,
    NewKey,
    NewModel,
    Pointer,
    Promotion,
    Reason,
    Registration,
    Spread,
    Traffic,
    Version,
    VersionChange,
)
from sardonyx.registry.artefacts import ArtefactStore
from sardonyx.registry.audit import Audit
from sardonyx.registry.catalog import Catalog
from sardonyx.registry.differences import Differences
from sardonyx.registry.endpoints import Endpoints
from sardonyx.registry.fetching import Fetching
from sardonyx.registry.keys import Keys
from sardonyx.registry.registration import Registrar, Uploaded


class Administration:
    """Everything that can be administered over one database and one store."""

    def __init__(self, database: Database, store: ArtefactStore, fetching: Fetching) -> None:
        self.store = store
        self.catalog = Catalog(database, store)
        self.registrar = Registrar(self.catalog, store, fetching)
        self.endpoints = Endpoints(database)
        self.differences = Differences(database)
        self.keys = Keys(database)
        self.audit = Audit(database)
        self.monitors: Watch | None = None


@dataclass(slots=True)
class Call:
    """One request for an operation; `body` is of the operation's type, `uploaded` files that came with it."""

    principal: Principal
    path: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    uploaded: Uploaded | None = None

    @property
    def actor(self) -> str:
        """Who the audit log names."""
        return self.principal.name

    def number(self, name: str, default: int | None, most: int = 1 << 62) -> Any:
        """A whole number of the query. Raises ServeError INVALID_ARGUMENT."""
        text = self.query.get(name, "")
        if not text:
            return default
        if not (text.isascii() and text.isdecimal()) or int(text) > most:
            raise invalid(f"{name}={text!r} must be a whole number up to {most}")
        return int(text)

    @property
    def tags(self) -> dict[str, str]:
        """The tags of the query: `tag=KEY=VALUE`, several joined by commas."""
        pairs = [pair.partition("=") for pair in self.query.get("tag", "").split(",") if pair]
        return {key: value for key, _, value in pairs}


Act = Callable[[Administration, Call], Any]


@dataclass(frozen=True, slots=True)
class Operation:
    """One row; `query` names the parameters with their meaning, `names` what a principal must be allowed."""

    method: str
    path: str
    name: str
    summary: str
    scope: str
    answer: Any
    act: Act
    body: Any = None
    query: Mapping[str, str] = field(default_factory=dict)
    status: int = 200
    names: Callable[[Call], tuple[str, ...]] = lambda call: tuple(
        call.path[part] for part in ("model", "endpoint") if part in call.path
    )


def _whole_version(a: Administration, c: Call) -> Version:
    return a.catalog.version(c.path["model"], c.path["version"])


def _register(a: Administration, c: Call) -> Version:
    return a.registrar.register(c.path["model"], c.body, c.actor, c.uploaded)


def _visible(c: Call, found: list[Any]) -> list[Any]:
    return [record for record in found if c.principal.may_see(record.name)]


_MODEL, _VERSION = "/models/{model}", "/models/{model}/versions/{version}"
_ENDPOINT = "/endpoints/{endpoint}"

MODELS = (
    Operation(
        "GET",
        "/models",
        "models",
        "Models by name",
        "metadata",
        list[Model],
        lambda a, c: _visible(c, a.catalog.models(c.query.get("name") or "*", c.tags)),
        query={"name": "a shell pattern", "tag": "KEY=VALUE, several joined by commas"},
    ),
    Operation(
        "POST",
        "/models",
        "create_model",
        "Make a model without versions",
        "repository",
        Model,
        lambda a, c: a.catalog.create(c.body, c.actor),
        NewModel,
        status=201,
        names=lambda c: (c.body.name,),
    ),
    Operation(
        "GET", _MODEL, "model", "One model", "metadata", Model, lambda a, c: a.catalog.model(c.path["model"])
    ),
    Operation(
        "PATCH",
        _MODEL,
        "change_model",
        "Describe or tag a model",
        "repository",
        Model,
        lambda a, c: a.catalog.change(c.path["model"], c.body, c.actor),
        ModelChange,
    ),
    Operation(
        "DELETE",
        _MODEL,
        "delete_model",
        "Remove a model and its versions",
        "repository",
        None,
        lambda a, c: a.catalog.delete(c.path["model"], c.actor),
        status=204,
    ),
    Operation(
        "GET",
        f"{_MODEL}/versions",
        "versions",
        "All versions of a model",
        "metadata",
        list[Version],
        lambda a, c: a.catalog.versions(c.path["model"]),
    ),
    Operation(
        "POST",
        f"{_MODEL}/versions",
        "register",
        "Register a version from a source or from uploaded files",
        "repository",
        Version,
        _register,
        Registration,
        status=201,
    ),
    Operation(
        "GET", _VERSION, "version", "One version, by number or @alias", "metadata", Version, _whole_version
    ),
    Operation(
        "PATCH",
        _VERSION,
        "change_version",
        "Stage, describe or tag a version",
        "repository",
        Version,
        lambda a, c: a.catalog.change_version(c.path["model"], c.path["version"], c.body, c.actor),
        VersionChange,
    ),
    Operation(
        "DELETE",
        _VERSION,
        "delete_version",
        "Remove a version",
        "repository",
        None,
        lambda a, c: a.catalog.delete_version(c.path["model"], c.path["version"], c.actor),
        status=204,
    ),
    Operation(
        "PUT",
        f"{_MODEL}/aliases/{{alias}}",
        "set_alias",
        "Let an alias point at a version",
        "repository",
        Model,
        lambda a, c: a.catalog.set_alias(c.path["model"], c.path["alias"], c.body.version, c.actor),
        Pointer,
    ),
    Operation(
        "DELETE",
        f"{_MODEL}/aliases/{{alias}}",
        "remove_alias",
        "Remove an alias",
        "repository",
        Model,
        lambda a, c: a.catalog.remove_alias(c.path["model"], c.path["alias"], c.actor),
    ),
)

ENDPOINTS = (
    Operation(
        "GET",
        "/endpoints",
        "endpoints",
        "Endpoints by name",
        "metadata",
        list[Endpoint],
        lambda a, c: _visible(c, a.endpoints.endpoints(c.query.get("name") or "*")),
        query={"name": "a shell pattern"},
    ),
    Operation(
        "POST",
        "/endpoints",
        "create_endpoint",
        "Make an endpoint",
        "repository",
        Endpoint,
        lambda a, c: a.endpoints.create(c.body, c.actor),
        NewEndpoint,
        status=201,
        names=lambda c: (c.body.name,),
    ),
    Operation(
        "GET",
        _ENDPOINT,
        "endpoint",
        "One endpoint",
        "metadata",
        Endpoint,
        lambda a, c: a.endpoints.endpoint(c.path["endpoint"]),
    ),
    Operation(
        "DELETE",
        _ENDPOINT,
        "delete_endpoint",
        "Remove an endpoint",
        "repository",
        None,
        lambda a, c: a.endpoints.delete(c.path["endpoint"], c.actor),
        status=204,
    ),
    Operation(
        "POST",
        f"{_ENDPOINT}/deployments",
        "deploy",
        "Put a model version under an endpoint",
        "repository",
        Endpoint,
        lambda a, c: a.endpoints.deploy(c.path["endpoint"], c.body, c.actor),
        NewDeployment,
        status=201,
        names=lambda c: (c.path["endpoint"], c.body.model),
    ),
    Operation(
        "DELETE",
        f"{_ENDPOINT}/deployments/{{deployment}}",
        "undeploy",
        "Remove a deployment without traffic",
        "repository",
        Endpoint,
        lambda a, c: a.endpoints.undeploy(c.path["endpoint"], c.path["deployment"], c.actor),
    ),
    Operation(
        "PUT",
        f"{_ENDPOINT}/traffic",
        "set_traffic",
        "Spread traffic anew",
        "repository",
        Endpoint,
        lambda a, c: a.endpoints.spread(c.path["endpoint"], c.body, c.actor),
        Spread,
    ),
    Operation(
        "GET",
        f"{_ENDPOINT}/traffic",
        "traffic",
        "Every spread of traffic, the newest first",
        "metadata",
        list[Traffic],
        lambda a, c: a.endpoints.history(c.path["endpoint"]),
    ),
    Operation(
        "POST",
        f"{_ENDPOINT}/promote",
        "promote",
        "Give all traffic to one deployment",
        "repository",
        Endpoint,
        lambda a, c: a.endpoints.promote(c.path["endpoint"], c.body, c.actor),
        Promotion,
    ),
    Operation(
        "POST",
        f"{_ENDPOINT}/rollback",
        "rollback",
        "Traffic as before the last change",
        "repository",
        Endpoint,
        lambda a, c: a.endpoints.roll_back(c.path["endpoint"], c.body.reason, c.actor),
        Reason,
    ),
    Operation(
        "POST",
        f"{_ENDPOINT}/canary",
        "start_canary",
        "Move traffic step by step",
        "repository",
        Endpoint,
        lambda a, c: a.endpoints.start_canary(c.path["endpoint"], c.body, c.actor),
        CanaryPlan,
        status=201,
    ),
    Operation(
        "DELETE",
        f"{_ENDPOINT}/canary",
        "cancel_canary",
        "Stop a canary where it is",
        "repository",
        Endpoint,
        lambda a, c: a.endpoints.cancel_canary(c.path["endpoint"], c.actor),
    ),
    Operation(
        "GET",
        f"{_ENDPOINT}/differences",
        "differences",
        "Answers of shadows that differed, the newest first",
        "metadata",
        list[Difference],
        lambda a, c: a.differences.entries(c.path["endpoint"], c.number("limit", 100, 1000)),
        query={"limit": "at most so many"},
    ),
)

ACCESS = (
    Operation(
        "GET",
        "/keys",
        "keys",
        "Keys without their secrets",
        "admin",
        list[Key],
        lambda a, c: a.keys.keys(all=c.query.get("all") in ("1", "true")),
        query={"all": "1 shows expired and revoked ones too"},
    ),
    Operation(
        "POST",
        "/keys",
        "create_key",
        "Make a key; its secret is shown this once",
        "admin",
        IssuedKey,
        lambda a, c: a.keys.create(c.body, c.actor),
        NewKey,
        status=201,
    ),
    Operation(
        "DELETE",
        "/keys/{prefix}",
        "revoke_key",
        "Let a key be good no more",
        "admin",
        Key,
        lambda a, c: a.keys.revoke(c.path["prefix"], c.actor),
    ),
    Operation(
        "GET",
        "/audit",
        "audit",
        "Acts of administration, the newest first",
        "admin",
        list[AuditEntry],
        lambda a, c: a.audit.entries(
            limit=c.number("limit", 100, 1000),
            before=c.number("before", None),
            subject=c.query.get("subject", ""),
            actor=c.query.get("actor", ""),
        ),
        query={
            "limit": "at most so many",
            "before": "only numbers below",
            "subject": "begins with",
            "actor": "begins with",
        },
    ),
    Operation(
        "GET",
        "/audit/check",
        "check_audit",
        "Whether the audit log is what was written",
        "admin",
        AuditCheck,
        lambda a, c: a.audit.check(),
    ),
    Operation(
        "GET",
        "/identity",
        "identity",
        "Who is asking",
        "metadata",
        Identity,
        lambda a, c: Identity(name=c.principal.name, scopes=sorted(c.principal.scopes)),
    ),
)

OPERATIONS: tuple[Operation, ...] = (*MODELS, *ENDPOINTS, *ACCESS)
