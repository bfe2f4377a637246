"""Artefacts of container registries: the layer behind `oci://host/repository:tag[/file]`, and its token."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sardonyx.zoo import tokens
from sardonyx.zoo.asking import REFUSALS, FetchError, checked, client, number, patiently, safe
from sardonyx.zoo.download import Wanted
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
    url = f"{base}/manifests/{reference.at}"
    with client({**headers, "Accept": TYPES}) as asked:
        answer = _asked(asked, url, reference)
        if answer.status_code == 401:
            headers = _token(asked, answer.headers.get("WWW-Authenticate", ""), headers, reference)
            asked.headers.update(headers)
            answer = _asked(asked, url, reference)
    checked(answer, reference.text)
    _check(answer, reference)
    layer = _layer(_read(answer, reference), reference)
    digest = str(layer.get("digest"))
    if not re.fullmatch(r"sha256:[0-9a-f]{64}", digest):
        raise FetchError(f"{reference.text}: the layer's digest {digest!r} is not a sha256")
    url = f"{base}/blobs/{digest}"
    return Wanted(url, digest.partition(":")[2], number(layer.get("size")), headers, reference.text)


def _asked(asked: httpx.Client, url: str, reference: Reference, **more: Any) -> httpx.Response:
    """An answer, or the demand for a token."""

    def ask() -> httpx.Response:
        answer = asked.get(url, **more)
        if answer.status_code != 401:
            checked(answer, reference.text)
        return answer

    return patiently(reference.text, url, ask)


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
    answer = _asked(asked, safe(given["realm"]), reference, params=query, headers=dict(headers))
    checked(answer, reference.text)
    told = _read(answer, reference)
    token = told.get("token") or told.get("access_token")
    if not token:
        raise FetchError(f"{reference.text}: {answer.url.host} gives no token")
    return {"Authorization": f"Bearer {token}"}


def _read(answer: httpx.Response, reference: Reference) -> dict[str, Any]:
    """The object that an answer holds as JSON."""
    try:
        told = answer.json()
    except ValueError:
        told = None
    if not isinstance(told, dict):
        raise FetchError(f"{reference.text}: {answer.url.host} does not answer as a registry does")
    return told


def _check(answer: httpx.Response, reference: Reference) -> None:
    """A manifest asked for by digest must have it."""
    if len(answer.content) > LIMIT_BYTES:
        raise FetchError(f"{reference.text}: its manifest is larger than any should be")
    found = f"sha256:{hashlib.sha256(answer.content).hexdigest()}"
    if reference.at.startswith("sha256:") and found != reference.at:
        raise FetchError(f"{reference.text}: the registry sends a manifest of another digest, {found}")


def _layer(manifest: dict[str, Any], reference: Reference) -> dict[str, Any]:
    layers = manifest.get("layers")
    if not isinstance(layers, list) or not all(isinstance(layer, dict) for layer in layers):
        several = "an index of several; name one by its digest" if "manifests" in manifest else "none"
        raise FetchError(f"{reference.text}: a manifest with layers is wanted, and it is {several}")
    named = {_title(layer): layer for layer in layers}
    if reference.file:
        chosen = [layer for name, layer in named.items() if name == reference.file]
    else:
        chosen = [layer for name, layer in named.items() if name.endswith(".onnx")] or layers
    if len(chosen) != 1:
        known = ", ".join(name for name in named if name) or f"{len(layers)} layers without names"
        raise FetchError(f"{reference.text}: which file is meant? It holds {known}; add /FILE")
    return dict(chosen[0])


def _title(layer: dict[str, Any]) -> str:
    notes = layer.get("annotations")
    return str(notes.get(TITLE, "")) if isinstance(notes, dict) else ""
