"""Files of the model hub: the address, revision and digest behind `hf://org/repo@revision/file`."""

from __future__ import annotations

import os
import re
from urllib.parse import quote

from sardonyx.zoo import tokens
from sardonyx.zoo.download import REFUSALS, FetchError, Wanted, client, http, safe
from sardonyx.zoo.references import Reference, mirrored

ENDPOINT = "https://huggingface.co"
SHA256 = re.compile(r"[0-9a-f]{64}")


def wanted(reference: Reference) -> Wanted:
    """The file, with the digest that the hub gives for large ones."""
    endpoint = os.environ.get("HF_ENDPOINT", "").rstrip("/") or ENDPOINT
    path = f"{reference.repo}/resolve/{quote(reference.at, safe='')}/{quote(reference.file)}"
    url = safe(mirrored(f"{endpoint}/{path}"))
    headers = tokens.of_hub()
    with client(headers) as asked:
        try:
            answer = asked.head(url, follow_redirects=False)
        except http().TransportError as error:
            said = str(error) or type(error).__name__
            raise FetchError(f"{reference.text}: {endpoint} cannot be reached ({said})") from error
    if answer.status_code >= 400:
        why = REFUSALS.get(answer.status_code, f"the hub answers {answer.status_code}")
        raise FetchError(f"{reference.text}: {why}")
    tag = answer.headers.get("X-Linked-Etag", "").strip('"')
    size = int(answer.headers.get("X-Linked-Size") or 0)
    digest = tag if SHA256.fullmatch(tag) else ""
    return Wanted(url, digest, size, headers, reference.text)
