"""Files of the model hub: the address, revision and digest behind `hf://org/repo@revision/file`."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

from sardonyx.zoo import tokens
from sardonyx.zoo.asking import checked, client, number, patiently, safe
from sardonyx.zoo.download import Wanted
from sardonyx.zoo.references import Reference, mirrored

if TYPE_CHECKING:
    import httpx

ENDPOINT = "https://huggingface.co"
SHA256 = re.compile(r"[0-9a-f]{64}")


def wanted(reference: Reference) -> Wanted:
    """The file, with the digest that the hub gives for large ones."""
    endpoint = os.environ.get("HF_ENDPOINT", "").rstrip("/") or ENDPOINT
    path = f"{reference.repo}/resolve/{quote(unquote(reference.at), safe='')}/{quote(reference.file)}"
    url = safe(mirrored(f"{endpoint}/{path}"))
    headers = tokens.of_hub()
    with client(headers) as asked:
        answer = patiently(reference.text, url, lambda: _head(asked, url, reference.text))
    tag = answer.headers.get("X-Linked-Etag", "").strip('"')
    size = number(answer.headers.get("X-Linked-Size"))
    digest = tag if SHA256.fullmatch(tag) else ""
    return Wanted(url, digest, size, headers, reference.text)


def _head(asked: httpx.Client, url: str, label: str) -> httpx.Response:
    """What the hub itself tells: it sends on to a store of files, which tells less."""
    answer = asked.head(url, follow_redirects=False)
    if not answer.is_redirect:
        checked(answer, label)
    return answer
