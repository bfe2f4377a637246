"""The options of the data plane on the command line: queues, times, sizes.

Must not know what serving does with them.
"""

from __future__ import annotations

import argparse
import math
from typing import TYPE_CHECKING

from sardonyx.tools.console import UserError

if TYPE_CHECKING:
    from sardonyx.serve.options import ServeOptions, Tls

_MEBIBYTE = 1 << 20


def add_data_plane_options(parser: argparse.ArgumentParser) -> None:
    """Add them in a group of their own."""
    group = parser.add_argument_group("requests")
    group.add_argument("--queue-size", type=int, default=256, metavar="N", help="that may wait for a model")
    group.add_argument(
        "--overload-status", type=int, choices=(503, 429), default=503, help="when more come (default 503)"
    )
    group.add_argument("--timeout", type=float, metavar="S", help="of a request that names none, in seconds")
    group.add_argument("--max-body", type=int, default=64, metavar="MIB", help="of a request (default 64)")
    group.add_argument(
        "--non-finite",
        choices=("words", "null", "error"),
        default="words",
        help="what stands in JSON for NaN and Infinity (default these words, which strict readers refuse)",
    )
    group.add_argument(
        "--cors-origin",
        action="append",
        default=[],
        metavar="ORIGIN",
        help="of web pages that may ask models, such as https://app.example.org; * for all (default none)",
    )
    group.add_argument(
        "--drain",
        type=float,
        default=30.0,
        metavar="S",
        help="given at the end to requests that were received",
    )
    group.add_argument(
        "--allow-client-shm", action="store_true", help="let local clients pass tensors in shared memory"
    )
    group.add_argument(
        "--trace-file", default="", metavar="FILE", help="where traces go that /v2/trace/setting asks for"
    )
    group.add_argument(
        "--memory",
        type=int,
        metavar="MIB",
        help="for models; those asked longest ago give way",
    )
    group.add_argument("--server-name", default="sardonyx", metavar="NAME", help="what /v2 says it is")


def data_plane_options(options: argparse.Namespace, tls: Tls | None) -> ServeOptions:
    """What was given, checked."""
    from sardonyx.serve.http.origins import is_origin
    from sardonyx.serve.options import ServeOptions

    for name in ("queue_size", "max_body"):
        if getattr(options, name) < 1:
            raise UserError(f"--{name.replace('_', '-')}: give a positive number")
    if options.threads < 0:
        raise UserError(f"--threads {options.threads}: give 0 (all cores) or a positive number")
    for name in ("timeout", "drain"):
        seconds = getattr(options, name)
        if seconds is not None and not 0 <= seconds < math.inf:
            raise UserError(f"--{name} {seconds}: give seconds, from 0 on")
    for origin in options.cors_origin:
        if not is_origin(origin):
            raise UserError(
                f"--cors-origin: {origin!r} is no origin; browsers send http(s)://HOST[:PORT]; * is any"
            )
    return ServeOptions(
        name=options.server_name,
        host=options.host,
        http_port=options.http_port,
        grpc_port=options.grpc_port,
        threads=options.threads,
        queue_size=options.queue_size,
        overload_status=options.overload_status,
        timeout_s=options.timeout,
        max_body_bytes=options.max_body * _MEBIBYTE,
        non_finite=options.non_finite,
        cors_origins=tuple(options.cors_origin),
        drain_s=options.drain,
        memory_bytes=None if options.memory is None else options.memory * _MEBIBYTE,
        allow_client_shm=options.allow_client_shm,
        trace_file=options.trace_file,
        tls=tls,
    )
