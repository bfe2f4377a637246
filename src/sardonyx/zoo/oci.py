"""Artefacts of container registries: the layer behind `oci://host/repository:tag[/file]`, and its token."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sardonyx.zoo import tokens
from sardonyx.zoo.download import REFUSALS, FetchError, Wanted, client, http, safe
from sardonyx.zoo.references import Reference, mirrored

if TYPE_CHECKING:
    import httpx

TYPES = "application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json"
TITLE = "org.opencontainers.image.title"
LIMIT_BYTES = 4 << 20


def wanted(reference: Reference) -> Wanted:
    """The layer that is the model, by its digest."""
    scheme = "http" if reference.host.partition(":")[0] in ("127.0.0.1", "localhost") else "https"
    base = safe(mirrored(f"{scheme}://{reference.host}/v2/{reference.repo}"))
    headers = tokens.of_registry(reference.host)
    with client({**headers, "Accept": TYPES}) as asked:
        answer = _asked(asked, f"{base}/manifests/{reference.at}", reference)
        if answer.status_code == 401:
            headers = _token(asked, answer.headers.get("WWW-Authenticate", ""), headers, reference)
            asked.headers.update(headers)
            answer = _asked(asked, f"{base}/manifests/{reference.at}", reference)
    if answer.status_code != 200:
        why = REFUSALS.get(answer.status_code, f"the registry answers {answer.status_code}")
        raise FetchError(f"{reference.text}: {why}")
    _check(answer, reference)
    layer = _layer(answer.json(), reference)
    digest = str(layer["digest"])
    if not re.fullmatch(r"sha256:[0-9a-f]{64}", digest):
        raise FetchError(f"{reference.text}: the layer's digest {digest!r} is not a sha256")
    url = f"{base}/blobs/{digest}"
    return Wanted(url, digest.partition(":")[2], int(layer.get("size") or 0), headers, reference.text)


def _asked(asked: httpx.Client, url: str, reference: Reference) -> httpx.Response:
    try:
        return asked.get(url)
    except http().TransportError as error:
        said = str(error) or type(error).__name__
        raise FetchError(f"{reference.text}: {reference.host} cannot be reached ({said})") from error


def _token(
    asked: httpx.Client, challenge: str, headers: Mapping[str, str], reference: Reference
) -> dict[str, str]:
    """The header that the registry's token service gives for reading."""
    given = dict(re.findall(r'(\w+)="([^"]*)"', challenge))
    if "realm" not in given:
        raise FetchError(f"{reference.text}: {REFUSALS[401]}")
    query = {"scope": given.get("scope") or f"repository:{reference.repo}:pull"}
    if "service" in given:
        query["service"] = given["service"]
    try:
        answer = asked.get(safe(given["realm"]), params=query, headers=dict(headers))
    except http().TransportError as error:
        raise FetchError(f"{reference.text}: its token service cannot be reached ({error})") from error
    if answer.status_code != 200:
        raise FetchError(f"{reference.text}: {REFUSALS[401]}")
    given = answer.json()
    return {"Authorization": f"Bearer {given.get('token') or given.get('access_token')}"}


def _check(answer: httpx.Response, reference: Reference) -> None:
    """A manifest asked for by digest must have it."""
    if len(answer.content) > LIMIT_BYTES:
        raise FetchError(f"{reference.text}: its manifest is larger than any should be")
    found = f"sha256:{hashlib.sha256(answer.content).hexdigest()}"
    if reference.at.startswith("sha256:") and found != reference.at:
        raise FetchError(f"{reference.text}: the registry sends a manifest of another digest, {found}")


def _layer(manifest: Any, reference: Reference) -> dict[str, Any]:
    layers = manifest.get("layers") or []
    named = {(layer.get("annotations") or {}).get(TITLE, ""): layer for layer in layers}
    if reference.file:
        chosen = [layer for name, layer in named.items() if name == reference.file]
    else:
        chosen = [layer for name, layer in named.items() if name.endswith(".onnx")] or layers
    if len(chosen) != 1:
        known = ", ".join(name for name in named if name) or f"{len(layers)} layers without names"
        raise FetchError(f"{reference.text}: which file is meant? It holds {known}; add /FILE")
    return dict(chosen[0])
