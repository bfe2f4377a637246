"""What a server may be told; every value has a default that serves one machine well. Pure data."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sardonyx.protocol.rest import NonFinite

MEBIBYTE = 1 << 20


@dataclass(frozen=True, slots=True)
class Tls:
    """PEM files: the certificate with its chain, its key, and whose clients' certificates are asked for."""

    certificate: Path
    key: Path
    client_ca: Path | None = None


@dataclass(frozen=True, slots=True)
class ServeOptions:
    """Options of the data plane; sizes in bytes, times in seconds; None = no limit.

    `name` is what the server calls itself. `queue_size` requests may wait for a model; more are answered with
    the HTTP status `overload_status` (503 or 429). A request without a timeout of its own gets `timeout_s`.
    A client has `client_s` for its headers, for a body, and to read an answer. On the way out, `drain_s` are
    given to requests that were received, and two seconds of them to those that are on their way. Beyond
    `memory_bytes`, models that were asked longest ago are unloaded until they are asked; `cache_bytes` of
    answers are kept for each model whose configuration asks for it. Traces that the trace settings ask for go
    to `trace_file`. `non_finite` stands in JSON for numbers that it does not have. Web pages of
    `cors_origins` ("*": of any) may ask the models.
    """

    name: str = "sardonyx"
    host: str = "127.0.0.1"
    http_port: int = 8000
    grpc_port: int = 8001
    max_body_bytes: int = 64 * MEBIBYTE
    queue_size: int = 256
    overload_status: int = 503
    timeout_s: float | None = None
    drain_s: float = 30.0
    client_s: float = 60.0
    threads: int = 0
    memory_bytes: int | None = None
    cache_bytes: int = 64 * MEBIBYTE
    strict_readiness: bool = True
    non_finite: NonFinite = "words"
    cors_origins: tuple[str, ...] = ()
    allow_client_shm: bool = False
    trace_file: str = ""
    tls: Tls | None = None
