"""A hub, a registry and a plain file server on this machine that misbehave as they are told to.

Faults of a path are used up one by one: `drop=N` ends the connection after N bytes, `lie` sends other bytes,
`redirect=URL` sends there (without one to another host name), `status=N` refuses, `wait=N` asks to wait for N
seconds, `whole` and `wrong` answer a range wrongly, `part=N` sends N bytes as a range, `packed` packs, `page`
sends a page of the web. A fault `HEAD status=N` is one of a HEAD.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit


@dataclass
class Shelf:
    """What the server has, how it behaves, and what it was asked."""

    files: dict[str, bytes] = field(default_factory=dict)
    faults: dict[str, list[str]] = field(default_factory=dict)
    asked: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    token: str = ""
    port: int = 0

    def url(self, path: str, host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.port}{path}"

    def requests(self, path: str) -> list[dict[str, str]]:
        """The headers of every request for a path."""
        return [headers for _, asked, headers in self.asked if asked == path]


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


class _Handler(BaseHTTPRequestHandler):
    """Answers for the shelf that its subclass names."""

    shelf: Shelf
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self.answer(body=False)

    def do_GET(self) -> None:
        self.answer(body=True)

    def answer(self, *, body: bool) -> None:
        parts = urlsplit(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.shelf.asked.append((self.command, parts.path, headers))
        if parts.path == "/token":
            return self.send(200, b'{"token": "given"}', body=body)
        if self.shelf.token and headers.get("authorization") != f"Bearer {self.shelf.token}":
            realm = f'Bearer realm="{self.shelf.url("/token")}",service="here",scope="pull"'
            return self.send(401, b"", body=body, more={"WWW-Authenticate": realm})
        data = self.shelf.files.get(parts.path)
        if data is None:
            return self.send(404, b"", body=body)
        waiting = self.shelf.faults.get(parts.path, [])
        is_meant = bool(waiting) and waiting[0].startswith("HEAD ") != body
        fault = waiting.pop(0).removeprefix("HEAD ") if is_meant else ""
        return self.misbehave(fault, data, headers, body=body)

    def misbehave(self, fault: str, data: bytes, headers: dict[str, str], *, body: bool) -> None:
        kind, _, value = fault.partition("=")
        if kind == "status":
            return self.send(int(value), b"", body=body)
        if kind == "wait":
            return self.send(429, b"", body=body, more={"Retry-After": value})
        if kind == "redirect":
            place = value or self.shelf.url(urlsplit(self.path).path, "localhost")
            return self.send(302, b"", body=body, more={"Location": place})
        if kind == "packed":
            return self.send(200, gzip.compress(data), body=body, more={"Content-Encoding": "gzip"})
        if kind == "lie":
            data = bytes(len(data))
        if kind == "page":
            data = b"<!doctype html><title>log in</title>"
        more = {"ETag": '"one"', "X-Linked-Etag": f'"{digest(data)}"', "X-Linked-Size": str(len(data))}
        wanted = headers.get("range", "")
        if kind == "part":
            start = int(wanted.removeprefix("bytes=").rstrip("-") or 0)
            more["Content-Range"] = f"bytes {start}-{start + int(value) - 1}/{len(data)}"
            return self.send(206, data[start : start + int(value)], body=body, more=more)
        if wanted and kind != "whole":
            start = int(wanted.removeprefix("bytes=").rstrip("-"))
            told = start + 1 if kind == "wrong" else start
            more["Content-Range"] = f"bytes {told}-{len(data) - 1}/{len(data)}"
            return self.send(206, data[start:], body=body, more=more, cut=_cut(fault))
        return self.send(200, data, body=body, more=more, cut=_cut(fault))

    def send(
        self,
        status: int,
        data: bytes,
        *,
        body: bool,
        more: dict[str, str] | None = None,
        cut: int | None = None,
    ) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(data)), **(more or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if body:
            self.wfile.write(data[:cut])
        if cut is not None:
            self.close_connection = True


def _cut(fault: str) -> int | None:
    return int(fault.partition("=")[2]) if fault.startswith("drop=") else None


@contextmanager
def serving(shelf: Shelf) -> Iterator[Shelf]:
    """The server, while the context lasts."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"shelf": shelf}))
    shelf.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield shelf
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def artefact(shelf: Shelf, repo: str, tag: str, files: dict[str, bytes]) -> str:
    """Put an artefact on the shelf; the digest of its manifest."""
    layers = [
        {
            "mediaType": "application/octet-stream",
            "digest": f"sha256:{digest(data)}",
            "size": len(data),
            "annotations": {"org.opencontainers.image.title": name},
        }
        for name, data in files.items()
    ]
    manifest = json.dumps({"schemaVersion": 2, "layers": layers}).encode()
    for reference in (tag, f"sha256:{digest(manifest)}"):
        shelf.files[f"/v2/{repo}/manifests/{reference}"] = manifest
    for data in files.values():
        shelf.files[f"/v2/{repo}/blobs/sha256:{digest(data)}"] = data
    return f"sha256:{digest(manifest)}"
