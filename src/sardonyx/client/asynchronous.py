"""The asynchronous client: inference and all of administration over HTTP.

`synchronous.py` is this file without `async` and `await`; `python -m sardonyx.tools.unasync` writes it. Must
not know what a server does with a request.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TypeVar

import httpx
import msgspec

from sardonyx.client.content import content_of
from sardonyx.client.exchange import (
    answered,
    body_of,
    check,
    context_of,
    file_parts,
    key_header,
    path_of,
    retry_pause_s,
    unreachable,
)
from sardonyx.client.monitors_asynchronous import AsyncMonitoring
from sardonyx.client.wire import HEADER, Answer, decoded, encoded
from sardonyx.protocol.messages import Parameter
from sardonyx.protocol.records import (
    AuditCheck,
    AuditEntry,
    CanaryPlan,
    Difference,
    Endpoint,
    Identity,
    IssuedKey,
    Key,
    Lineage,
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
    Stage,
    Traffic,
    Version,
    VersionChange,
)

T = TypeVar("T")


class AsyncClient(AsyncMonitoring):
    """A connection to one server; use it as a context or `close` it.

    Every method raises ServeError with the server's code and words; a server that cannot be reached is
    UNAVAILABLE. Answers that say so are tried again `retries` times, after the pause that the server names.
    With `shares_files` the server reads paths of this machine itself, so nothing is uploaded. A server that
    asks for it is shown `certificate`, a PEM file, with `certificate_key` if its key is in another; by
    default those that SARDONYX_CERTIFICATE and SARDONYX_CERTIFICATE_KEY name.
    """

    def __init__(
        self,
        url: str = "http://127.0.0.1:8000",
        key: str | None = None,
        *,
        timeout_s: float | None = 60.0,
        retries: int = 2,
        verify: Any = True,
        transport: httpx.AsyncBaseTransport | None = None,
        shares_files: bool = False,
        certificate: str | Path | None = None,
        certificate_key: str | Path | None = None,
    ) -> None:
        self._shares_files = shares_files
        self._retries = retries
        self._http = httpx.AsyncClient(
            base_url=url,
            headers=key_header(key or os.environ.get("SARDONYX_KEY")),
            timeout=timeout_s,
            verify=context_of(verify, certificate, certificate_key),
            transport=transport,
        )

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connection."""
        await self._http.aclose()

    async def infer(
        self,
        model: str,
        inputs: Mapping[str, Any],
        *,
        outputs: Sequence[str] | None = None,
        version: str = "",
        id: str = "",
        parameters: Mapping[str, Parameter] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Ask a model or an endpoint; arrays by the names of inputs.

        Lists of numbers become float32 or int64; give arrays for other types. Without `outputs` all come.
        """
        body, length = encoded(inputs, outputs, id, parameters)
        answer = await self._send(
            "POST",
            path_of("/v2/models", model, *(("versions", version) if version else ()), "infer"),
            content=body,
            headers={**(headers or {}), HEADER: str(length), "content-type": "application/octet-stream"},
        )
        check(answer)
        found = answer.headers.get(HEADER)
        return decoded(answer.content, int(found) if found else None)

    async def live(self) -> bool:
        """Whether the server answers at all."""
        return await self._is_well("/v2/health/live")

    async def ready(self, model: str = "", version: str = "") -> bool:
        """Whether the server, or a model, can be asked."""
        if not model:
            return await self._is_well("/v2/health/ready")
        versions = ("versions", version) if version else ()
        return await self._is_well(path_of("/v2/models", model, *versions, "ready"))

    async def metadata(self, model: str = "", version: str = "") -> dict[str, Any]:
        """What the server, or a model, says of itself."""
        if not model:
            return await self._get("/v2", dict[str, Any])
        versions = ("versions", version) if version else ()
        return await self._get(path_of("/v2/models", model, *versions), dict[str, Any])

    async def statistics(self, model: str = "") -> dict[str, Any]:
        """Counts and times of all models, or of one."""
        path = path_of("/v2/models", model, "stats") if model else "/v2/models/stats"
        return await self._get(path, dict[str, Any])

    async def repository(self) -> list[dict[str, str]]:
        """What the server could serve: name, version, state and reason."""
        return await self._ask("POST", "/v2/repository/index", list[dict[str, str]], {})

    async def load(self, model: str) -> None:
        """Load a model anew."""
        await self._do("POST", path_of("/v2/repository/models", model, "load"), {})

    async def unload(self, model: str) -> None:
        """Let go of a model's memory."""
        await self._do("POST", path_of("/v2/repository/models", model, "unload"), {})

    async def models(self, name: str = "*", tags: Mapping[str, str] | None = None) -> list[Model]:
        """Models whose names match a shell pattern and that have these tags."""
        tag = ",".join(f"{key}={value}" for key, value in (tags or {}).items())
        return await self._get("/api/models", list[Model], name=name, **({"tag": tag} if tag else {}))

    async def model(self, name: str) -> Model:
        """One model."""
        return await self._get(path_of("/api/models", name), Model)

    async def create_model(
        self, name: str, *, description: str = "", tags: Mapping[str, str] | None = None
    ) -> Model:
        """Make a model without versions."""
        new = NewModel(name=name, description=description, tags=dict(tags or {}))
        return await self._ask("POST", "/api/models", Model, new)

    async def change_model(
        self, name: str, *, description: str | None = None, tags: Mapping[str, str | None] | None = None
    ) -> Model:
        """Describe a model anew or set tags; a tag of None goes."""
        change = ModelChange(description=description, tags=dict(tags or {}))
        return await self._ask("PATCH", path_of("/api/models", name), Model, change)

    async def delete_model(self, name: str) -> None:
        """Remove a model with all versions."""
        await self._do("DELETE", path_of("/api/models", name))

    async def versions(self, model: str) -> list[Version]:
        """All versions of a model, the oldest first."""
        return await self._get(path_of("/api/models", model, "versions"), list[Version])

    async def version(self, model: str, reference: str) -> Version:
        """One version, by number or @alias."""
        return await self._get(path_of("/api/models", model, "versions", reference), Version)

    async def register(
        self,
        model: str,
        source: str | os.PathLike[str],
        *,
        samples: str | os.PathLike[str] = "",
        aliases: Sequence[str] = (),
        stage: Stage = "none",
        description: str = "",
        tags: Mapping[str, str] | None = None,
        lineage: Lineage | None = None,
        config: Mapping[str, Any] | None = None,
        force: bool = False,
    ) -> Version:
        """Register a version; the server checks it first.

        `source` is a URL that the server fetches, or a file or folder of this machine that is uploaded with
        its external data. `samples` likewise is an .npz file of arrays named as inputs and outputs.
        """
        registration = Registration(
            source=os.fspath(source),
            samples=os.fspath(samples),
            aliases=list(aliases),
            stage=stage,
            description=description,
            tags=dict(tags or {}),
            lineage=lineage or Lineage(),
            config=dict(config or {}),
            force=force,
        )
        path = path_of("/api/models", model, "versions")
        if self._shares_files or "://" in registration.source:
            return await self._ask("POST", path, Version, registration)
        with ExitStack() as stack:
            files = file_parts(stack, content_of(Path(registration.source)), registration.samples)
            described = msgspec.structs.replace(registration, samples="")
            form = {"registration": msgspec.json.encode(described).decode()}
            answer = await self._send("POST", path, data=form, files=files, timeout=None)
        return answered(answer, Version)

    async def change_version(
        self,
        model: str,
        reference: str,
        *,
        stage: Stage | None = None,
        description: str | None = None,
        tags: Mapping[str, str | None] | None = None,
    ) -> Version:
        """Move a version to another stage, describe it anew or set tags; a tag of None goes."""
        change = VersionChange(stage=stage, description=description, tags=dict(tags or {}))
        return await self._ask("PATCH", path_of("/api/models", model, "versions", reference), Version, change)

    async def delete_version(self, model: str, reference: str) -> None:
        """Remove a version."""
        await self._do("DELETE", path_of("/api/models", model, "versions", reference))

    async def download(self, model: str, reference: str, folder: str | os.PathLike[str]) -> Version:
        """Write the files of a version into a folder, which is made if it is missing."""
        version = await self.version(model, reference)
        for file in version.files:
            path = Path(folder) / file.path
            path.parent.mkdir(parents=True, exist_ok=True)
            url = path_of("/api/models", model, "versions", version.version, "files", *file.path.split("/"))
            async with self._http.stream("GET", url) as answer:
                if answer.status_code != 200:
                    await answer.aread()
                    check(answer)
                with path.open("wb") as stream:
                    async for chunk in answer.aiter_bytes():
                        stream.write(chunk)
        return version

    async def set_alias(self, model: str, alias: str, version: str) -> Model:
        """Let an alias such as champion point at a version."""
        path = path_of("/api/models", model, "aliases", alias.removeprefix("@"))
        return await self._ask("PUT", path, Model, Pointer(version=version))

    async def remove_alias(self, model: str, alias: str) -> Model:
        """Remove an alias."""
        path = path_of("/api/models", model, "aliases", alias.removeprefix("@"))
        return await self._ask("DELETE", path, Model)

    async def endpoints(self, name: str = "*") -> list[Endpoint]:
        """Endpoints whose names match a shell pattern."""
        return await self._get("/api/endpoints", list[Endpoint], name=name)

    async def endpoint(self, name: str) -> Endpoint:
        """One endpoint with its deployments and traffic."""
        return await self._get(path_of("/api/endpoints", name), Endpoint)

    async def create_endpoint(self, name: str, *, description: str = "", sticky_header: str = "") -> Endpoint:
        """Make an endpoint; clients that send the same `sticky_header` get the same deployment."""
        new = NewEndpoint(name=name, description=description, sticky_header=sticky_header)
        return await self._ask("POST", "/api/endpoints", Endpoint, new)

    async def delete_endpoint(self, name: str) -> None:
        """Remove an endpoint; the models stay."""
        await self._do("DELETE", path_of("/api/endpoints", name))

    async def deploy(
        self,
        endpoint: str,
        model: str,
        version: str = "",
        *,
        name: str = "",
        weight: float = 0,
        shadow: float = 0,
    ) -> Endpoint:
        """Put a version (a number, @alias, or "" for the default) under an endpoint.

        The endpoint is made if it is new; its first deployment gets all traffic, others `weight` percent of
        it and `shadow` percent of copies.
        """
        new = NewDeployment(model=model, version=version, name=name, weight=weight, shadow=shadow)
        return await self._ask("POST", path_of("/api/endpoints", endpoint, "deployments"), Endpoint, new)

    async def undeploy(self, endpoint: str, deployment: str) -> Endpoint:
        """Remove a deployment that has no traffic."""
        path = path_of("/api/endpoints", endpoint, "deployments", deployment)
        return await self._ask("DELETE", path, Endpoint)

    async def set_traffic(
        self,
        endpoint: str,
        weights: Mapping[str, float] | None = None,
        *,
        shadows: Mapping[str, float] | None = None,
        reason: str = "",
    ) -> Endpoint:
        """Spread traffic anew: percentages by deployment; what is not given stays."""
        wanted = Spread(
            weights=None if weights is None else dict(weights),
            shadows=None if shadows is None else dict(shadows),
            reason=reason,
        )
        return await self._ask("PUT", path_of("/api/endpoints", endpoint, "traffic"), Endpoint, wanted)

    async def traffic(self, endpoint: str) -> list[Traffic]:
        """Every spread of traffic that was, the newest first."""
        return await self._get(path_of("/api/endpoints", endpoint, "traffic"), list[Traffic])

    async def promote(self, endpoint: str, deployment: str = "", *, reason: str = "") -> Endpoint:
        """Give all traffic to one deployment."""
        wanted = Promotion(deployment=deployment, reason=reason)
        return await self._ask("POST", path_of("/api/endpoints", endpoint, "promote"), Endpoint, wanted)

    async def rollback(self, endpoint: str, *, reason: str = "") -> Endpoint:
        """Spread traffic as before the last change."""
        path = path_of("/api/endpoints", endpoint, "rollback")
        return await self._ask("POST", path, Endpoint, Reason(reason=reason))

    async def start_canary(self, endpoint: str, plan: CanaryPlan) -> Endpoint:
        """Move traffic to a deployment step by step, and back if it does worse."""
        return await self._ask("POST", path_of("/api/endpoints", endpoint, "canary"), Endpoint, plan)

    async def cancel_canary(self, endpoint: str) -> Endpoint:
        """Stop a canary where it is."""
        return await self._ask("DELETE", path_of("/api/endpoints", endpoint, "canary"), Endpoint)

    async def differences(self, endpoint: str, limit: int = 100) -> list[Difference]:
        """Answers of shadows that differed from those that were served, the newest first."""
        path = path_of("/api/endpoints", endpoint, "differences")
        return await self._get(path, list[Difference], limit=str(limit))

    async def api_keys(self, *, all: bool = False) -> list[Key]:
        """API keys; with `all`, expired and revoked ones too."""
        return await self._get("/api/keys", list[Key], **({"all": "1"} if all else {}))

    async def create_key(
        self,
        name: str,
        *,
        role: str = "",
        scopes: Sequence[str] = (),
        models: Sequence[str] = ("*",),
        quotas: Sequence[str] = (),
        expires_in_s: float | None = None,
    ) -> IssuedKey:
        """Make a key; `secret` of the answer is shown this once."""
        new = NewKey(
            name=name,
            role=role,
            scopes=list(scopes),
            models=list(models),
            quotas=list(quotas),
            expires_in_s=expires_in_s,
        )
        return await self._ask("POST", "/api/keys", IssuedKey, new)

    async def revoke_key(self, prefix: str) -> Key:
        """Let a key be good no more."""
        return await self._ask("DELETE", path_of("/api/keys", prefix), Key)

    async def audit(
        self, *, limit: int = 100, before: int | None = None, subject: str = "", actor: str = ""
    ) -> list[AuditEntry]:
        """Acts of administration, the newest first."""
        query = {"limit": str(limit), "subject": subject, "actor": actor}
        if before is not None:
            query["before"] = str(before)
        return await self._get("/api/audit", list[AuditEntry], **query)

    async def check_audit(self) -> AuditCheck:
        """Whether the audit log is what was written."""
        return await self._get("/api/audit/check", AuditCheck)

    async def identity(self) -> Identity:
        """Who the server takes us for."""
        return await self._get("/api/identity", Identity)

    async def _is_well(self, path: str) -> bool:
        try:
            answer = await self._http.get(path)
        except httpx.HTTPError:
            return False
        return answer.status_code == 200

    async def _get(self, path: str, type_: type[T], **query: str) -> T:
        return answered(await self._send("GET", path, params=query), type_)

    async def _ask(self, method: str, path: str, type_: type[T], body: Any = None) -> T:
        return answered(await self._send(method, path, **body_of(body)), type_)

    async def _do(self, method: str, path: str, body: Any = None) -> None:
        check(await self._send(method, path, **body_of(body)))

    async def _send(self, method: str, path: str, **options: Any) -> httpx.Response:
        for attempt in range(self._retries + 1):
            answer: httpx.Response | None = None
            failure: httpx.HTTPError | None = None
            try:
                answer = await self._http.request(method, path, **options)
            except httpx.HTTPError as error:
                failure = error
            pause_s = retry_pause_s(answer, failure, attempt, self._retries)
            if pause_s is None:
                break
            await asyncio.sleep(pause_s)
        if answer is None:
            raise unreachable(self._http.base_url, failure)
        return answer
