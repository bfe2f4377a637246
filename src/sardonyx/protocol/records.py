"""What administration speaks of: models, versions, endpoints, traffic, keys, audit entries. Plain data.

The same records leave the admin API and come back in the client. Moments are in UTC. Must not know tables or
transports.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec

Name = Annotated[
    str,
    msgspec.Meta(
        extra_json_schema={"minLength": 1, "maxLength": 128, "pattern": r"^[A-Za-z0-9][A-Za-z0-9._-]*$"}
    ),
]
"""A plain segment; what is said of one that is not, registry/names.py decides."""
Percentage = Annotated[float, msgspec.Meta(ge=0, le=100)]
Stage = Literal["none", "staging", "production", "archived"]
Verdict = Literal["passed", "warning", "failed", "skipped"]
SCOPES = ("infer", "metadata", "repository", "admin")
ROLES: dict[str, tuple[str, ...]] = {
    "viewer": ("metadata",),
    "user": ("infer", "metadata"),
    "operator": ("infer", "metadata", "repository"),
    "admin": SCOPES,
}
"""Names for sets of scopes, the smallest first."""


class Record(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=False):
    """An answer: fields that a newer server adds are ignored."""


class Request(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A question: a field that nobody knows is a mistake worth telling."""


class TensorSpec(Record, frozen=True, kw_only=True):
    """An input or output as ONNX declares it; a free size is its name or None, a free rank None."""

    name: str
    type: str
    shape: list[int | str | None] | None = None


class Signature(Record, frozen=True, kw_only=True):
    """What a model file says of itself."""

    inputs: list[TensorSpec] = []
    outputs: list[TensorSpec] = []
    opsets: dict[str, int] = {}
    operators: dict[str, int] = {}
    producer: str = ""
    metadata: dict[str, str] = {}
    parameters: int = 0


class Lineage(Record, frozen=True, kw_only=True):
    """Where a version comes from; `source` is what it was registered from, `parent` a `model:version`."""

    framework: str = ""
    data: str = ""
    parent: str = ""
    source: str = ""
    run: str = ""
    commit: str = ""


class Check(Record, frozen=True, kw_only=True):
    """What one check of a version found."""

    name: str
    verdict: Verdict
    detail: str = ""


class File(Record, frozen=True, kw_only=True):
    """A file of a version; `path` is relative to its folder."""

    path: str
    sha256: str
    size_bytes: int


class Version(Record, frozen=True, kw_only=True):
    """An immutable version of a model; only stage, description, tags and aliases may change."""

    model: str
    version: str
    digest: str
    size_bytes: int
    files: list[File] = []
    aliases: list[str] = []
    stage: Stage = "none"
    description: str = ""
    tags: dict[str, str] = {}
    signature: Signature = Signature()
    lineage: Lineage = Lineage()
    checks: list[Check] = []
    config: dict[str, Any] = {}
    created_at: datetime
    created_by: str


class Model(Record, frozen=True, kw_only=True):
    """A name with its versions."""

    name: str
    description: str = ""
    tags: dict[str, str] = {}
    aliases: dict[str, str] = {}
    versions: list[str] = []
    latest: str = ""
    created_at: datetime
    created_by: str


class NewModel(Request, frozen=True, kw_only=True):
    """A model to be."""

    name: Name
    description: str = ""
    tags: dict[str, str] = {}


class ModelChange(Request, frozen=True, kw_only=True):
    """What of a model should change; tags with a null value go."""

    description: str | None = None
    tags: dict[str, str | None] = {}


class Registration(Request, frozen=True, kw_only=True):
    """A version to be.

    `source` is a URL or, where the server allows it, a path of an .onnx file or of a folder with one.
    `samples` is a path or URL of an .npz file: arrays named as the inputs are fed, those named as outputs are
    what must come out. With `force`, failed checks are recorded and do not refuse.
    """

    source: str
    samples: str = ""
    aliases: list[str] = []
    stage: Stage = "none"
    description: str = ""
    tags: dict[str, str] = {}
    lineage: Lineage = Lineage()
    config: dict[str, Any] = {}
    force: bool = False


class VersionChange(Request, frozen=True, kw_only=True):
    """What of a version should change; tags with a null value go."""

    stage: Stage | None = None
    description: str | None = None
    tags: dict[str, str | None] = {}


class Pointer(Request, frozen=True, kw_only=True):
    """The version that an alias should point at."""

    version: str


class Deployment(Record, frozen=True, kw_only=True):
    """A model version under an endpoint; `reference` is a version or `@alias`, `version` what it is now."""

    name: str
    model: str
    reference: str
    version: str = ""
    weight: float = 0
    shadow: float = 0
    created_at: datetime
    created_by: str


class Traffic(Record, frozen=True, kw_only=True):
    """One spread of traffic: percentages that serve, and percentages that are asked as shadows too."""

    number: int
    parent: int
    weights: dict[str, float] = {}
    shadows: dict[str, float] = {}
    reason: str = ""
    current: bool = False
    created_at: datetime
    created_by: str


class CanaryPlan(Request, frozen=True, kw_only=True):
    """How traffic moves to `deployment`: `steps` are percentages, each held for `interval_s` seconds.

    A step is taken when the deployment has answered `min_requests`; it steps back when more than
    `max_error_rate` of them fail, when it refuses more requests than the others by that share, or when its
    latency at `quantile` is more than `max_latency_ratio` times that of the others.
    """

    deployment: str
    steps: tuple[float, ...] = (5, 25, 50, 100)
    interval_s: float = 300
    min_requests: int = 20
    max_error_rate: float = 0.01
    max_latency_ratio: float = 1.5
    quantile: float = 0.95


class Canary(Record, frozen=True, kw_only=True):
    """A schedule and how far it is."""

    deployment: str
    plan: CanaryPlan
    state: Literal["running", "done", "stepped_back", "cancelled"]
    step: int
    step_at: datetime
    reason: str = ""
    created_at: datetime
    created_by: str


class Endpoint(Record, frozen=True, kw_only=True):
    """A name that clients ask."""

    name: str
    description: str = ""
    sticky_header: str = ""
    deployments: list[Deployment] = []
    traffic: Traffic | None = None
    canary: Canary | None = None
    created_at: datetime
    created_by: str


class NewEndpoint(Request, frozen=True, kw_only=True):
    """An endpoint to be; requests with the same value of `sticky_header` go to the same deployment."""

    name: Name
    description: str = ""
    sticky_header: str = ""


class NewDeployment(Request, frozen=True, kw_only=True):
    """A deployment to be; without a name the first free of blue, green, ...

    The first deployment of an endpoint gets all traffic, later ones `weight` percent of it.
    """

    model: Name
    version: str = ""
    name: str = ""
    weight: Percentage = 0
    shadow: Percentage = 0


class Spread(Request, frozen=True, kw_only=True):
    """Traffic to be: percentages by deployment; weights are 100 together, shadows up to 100 each."""

    weights: dict[str, float] | None = None
    shadows: dict[str, float] | None = None
    reason: str = ""


class Promotion(Request, frozen=True, kw_only=True):
    """The deployment that takes over all traffic; "" if there is only one other than now."""

    deployment: str = ""
    reason: str = ""


class Reason(Request, frozen=True, kw_only=True):
    """Why something is done, for the audit log."""

    reason: str = ""


class Difference(Record, frozen=True, kw_only=True):
    """An answer of a shadow that was another than that of the deployment that served."""

    deployment: str
    shadow: str
    request: str = ""
    at: datetime
    detail: dict[str, Any] = {}


class Key(Record, frozen=True, kw_only=True):
    """An API key without its secret; `models` are shell patterns, `quotas` such as `100/minute`."""

    prefix: str
    name: str
    scopes: list[str]
    models: list[str] = []
    quotas: list[str] = []
    created_at: datetime
    created_by: str
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    last_used_at: datetime | None = None


class IssuedKey(Key, frozen=True, kw_only=True):
    """A key just made: `secret` is shown this once."""

    secret: str


class NewKey(Request, frozen=True, kw_only=True):
    """A key to be: scopes, or a role that names them; `expires_in_s` is in seconds, None is never."""

    name: Name
    role: str = ""
    scopes: list[str] = []
    models: list[str] = msgspec.field(default_factory=lambda: ["*"])
    quotas: list[str] = []
    expires_in_s: float | None = None


class AuditEntry(Record, frozen=True, kw_only=True):
    """One act: who did what to which subject."""

    number: int
    at: datetime
    actor: str
    action: str
    subject: str
    detail: dict[str, Any] = {}


class AuditCheck(Record, frozen=True, kw_only=True):
    """Whether the audit log is what was written: `broken` is the number of the first entry that is not."""

    entries: int
    broken: int | None = None


class Identity(Record, frozen=True, kw_only=True):
    """Who is asking."""

    name: str
    scopes: list[str] = []
