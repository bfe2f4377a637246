"""What a reference to a model names: an entry, a file of a hub, an address, an artefact of a registry.

`NAME`, `hf://org/repo[@revision]/file`, `https://...[#sha256=...]`, `oci://host/repository:tag[/file]`.
Asks no network.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from sardonyx.zoo.asking import FetchError, safe

Scheme = Literal["name", "hf", "https", "oci"]
HUB = re.compile(r"hf://(?P<repo>[\w.-]+/[\w.-]+)(?:@(?P<revision>[^/]+))?/(?P<file>.+)")
ARTEFACT = re.compile(
    r"oci://(?P<host>[^/]+)/(?P<repo>[a-z0-9._/-]+?)"
    r"(?::(?P<tag>[\w][\w.-]*)|@(?P<digest>sha256:[0-9a-f]{64}))?(?:/(?P<file>[^/:@]+\.\w+))?"
)
DIGEST = re.compile(r"sha256=([0-9a-fA-F]{64})")
MIRRORS = "SARDONYX_MIRRORS"


@dataclass(frozen=True)
class Reference:
    """A model's place. `host` is that of a registry, `at` a revision, tag or digest, `file` within it."""

    text: str
    scheme: Scheme
    host: str = ""
    repo: str = ""
    at: str = ""
    file: str = ""
    sha256: str = ""

    @property
    def filename(self) -> str:
        """The name of the file that it comes to."""
        return self.file.rpartition("/")[2] or "model.onnx"


def parse(text: str) -> Reference:
    """Read a reference; FetchError says what is not understood."""
    if "://" not in text:
        return Reference(text, "name")
    scheme = text.partition("://")[0]
    if scheme == "hf":
        found = HUB.fullmatch(text)
        if found is None:
            raise FetchError(f"{text!r} is not understood; write hf://org/repo[@revision]/path/model.onnx")
        return Reference(text, "hf", "", found["repo"], found["revision"] or "main", found["file"])
    if scheme == "oci":
        found = ARTEFACT.fullmatch(text)
        if found is None:
            raise FetchError(f"{text!r} is not understood; write oci://host/repository:tag[/model.onnx]")
        at = found["digest"] or found["tag"] or "latest"
        return Reference(text, "oci", found["host"], found["repo"], at, found["file"] or "")
    if scheme in ("https", "http"):
        url, _, fragment = text.partition("#")
        parts = urlsplit(safe(url))
        digest = DIGEST.fullmatch(fragment)
        if fragment.startswith("sha256") and digest is None:
            raise FetchError(f"{text!r}: a digest is 64 hexadecimal digits, #sha256=...")
        sha256 = digest[1].lower() if digest else ""
        return Reference(url, "https", parts.netloc, file=parts.path.lstrip("/"), sha256=sha256)
    raise FetchError(f"{text!r}: there are names, hf://, https:// and oci://; not {scheme}://")


def mirrored(url: str) -> str:
    """The address with its beginning replaced as SARDONYX_MIRRORS says: `https://a=https://b,...`."""
    for rule in os.environ.get(MIRRORS, "").split(","):
        old, _, new = rule.strip().partition("=")
        if old and new and url.startswith(old):
            return new + url[len(old) :]
    return url
