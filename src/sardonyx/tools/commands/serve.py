"""`sardonyx serve`: models over REST and gRPC until it is interrupted."""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path
from typing import Any

from sardonyx.tools.console import UserError
from sardonyx.tools.data_plane import add_data_plane_options, data_plane_options
from sardonyx.tools.inputs import parse_pairs
from sardonyx.tools.server import add_home_options, missing, port


def add(commands: Any) -> None:
    """Add the command to the parser."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "serve",
        help="serve models over REST and gRPC",
        description="Serve models by the Open Inference Protocol v2: files, folders, URLs, and models "
        "and endpoints of the registry that are named, or else all. Prints one line when it is ready.",
    )
    parser.add_argument(
        "models",
        nargs="*",
        metavar="MODEL",
        help="an .onnx file, a folder of models (NAME.onnx, NAME/1/model.onnx), a URL, or a name in the "
        "registry: of a model, or of an endpoint with its deployments and traffic",
    )
    parser.add_argument("--name", default="", help="name of a single model (default: that of its file)")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default 127.0.0.1)")
    parser.add_argument("--http-port", type=port, default=8000, metavar="N", help="0 = any free port")
    parser.add_argument("--grpc-port", type=port, default=8001, metavar="N", help="0 = any free port")
    parser.add_argument("--threads", type=int, default=0, metavar="N", help="threads of a run; 0 = all cores")
    add_home_options(parser)
    _add_access_options(parser)
    _add_monitor_options(parser)
    add_data_plane_options(parser)
    parser.set_defaults(command_function=command)


def _add_access_options(parser: argparse.ArgumentParser) -> None:
    access = parser.add_argument_group("access")
    access.add_argument("--require-keys", action="store_true", help="even while there is no key")
    access.add_argument(
        "--oidc-issuer", metavar="URL", help="take bearer tokens of this OpenID Connect provider"
    )
    access.add_argument("--oidc-audience", metavar="NAME", help="that its tokens must be for")
    access.add_argument("--oidc-roles-claim", default="roles", metavar="CLAIM", help="default roles")
    access.add_argument(
        "--oidc-role",
        action="append",
        default=[],
        metavar="VALUE=ROLE",
        help="what a value of the claim means",
    )
    access.add_argument("--tls-certificate", metavar="FILE", help="PEM: serve https and grpcs with it")
    access.add_argument("--tls-key", metavar="FILE", help="PEM: its private key")
    access.add_argument("--tls-client-ca", metavar="FILE", help="PEM: only clients with a certificate of it")
    access.add_argument(
        "--allow-source",
        action="append",
        default=[],
        metavar="PREFIX",
        help="s3://... that may be registered from",
    )
    access.add_argument(
        "--allow-private-urls", action="store_true", help="register from addresses of this network too"
    )


def _add_monitor_options(parser: argparse.ArgumentParser) -> None:
    watched = parser.add_argument_group("monitoring")
    watched.add_argument(
        "--log-payloads",
        type=float,
        nargs="?",
        const=1.0,
        default=0.0,
        metavar="SHARE",
        help="keep this share of requests and answers for monitors (default none; 1 if no share is given)",
    )
    watched.add_argument(
        "--redact",
        action="append",
        default=[],
        metavar="NAME=drop|hash",
        help="an input, an output or `principal` that is not kept as it is",
    )
    watched.add_argument(
        "--redact-words",
        action="append",
        default=[],
        choices=("email", "phone", "card", "address"),
        help="kinds of words that are replaced within kept texts",
    )
    watched.add_argument("--payload-days", type=float, default=30, metavar="N", help="keep payloads so long")
    watched.add_argument("--payload-gb", type=float, default=10, metavar="N", help="keep at most so much")
    watched.add_argument("--triton-metrics", action="store_true", help="the metric names of Triton too")
    watched.add_argument(
        "--log-requests", action="store_true", help="a line of JSON on stderr for each request"
    )
    watched.add_argument(
        "--trace-rate",
        type=float,
        default=1.0,
        metavar="SHARE",
        help="share of requests that are traced where OTEL_EXPORTER_OTLP_ENDPOINT is set (default 1)",
    )


def command(options: argparse.Namespace) -> int:
    """Serve until SIGINT or SIGTERM."""
    from google.protobuf.runtime_version import VersionError

    try:
        from sardonyx.gateway.run import serve
        from sardonyx.protocol.errors import ServeError
        from sardonyx.serve.server import loop_factory
    except ModuleNotFoundError as error:
        raise missing(error) from None
    except VersionError as error:
        raise UserError(
            f"{error}\n`pip check` says which packages do not fit together; pip finds some that do if one "
            "call names all: pip install 'sardonyx[serve]' PACKAGE ..."
        ) from error
    settings = data_plane_options(options, _tls(options))
    work = serve(options.models, options.name, settings, _gateway_options(options), _announce)
    try:
        with asyncio.Runner(loop_factory=loop_factory()) as runner:
            runner.run(work)
    except ServeError as error:
        raise UserError(error.message) from error
    return 0


def _tls(options: argparse.Namespace) -> Any:
    from sardonyx.serve.options import Tls

    if not options.tls_certificate:
        return None
    if not options.tls_key:
        raise UserError("--tls-certificate needs --tls-key, the private key that belongs to it")
    client_ca = Path(options.tls_client_ca) if options.tls_client_ca else None
    return Tls(Path(options.tls_certificate), Path(options.tls_key), client_ca)


def _gateway_options(options: argparse.Namespace) -> Any:
    from sardonyx.database import home_folder
    from sardonyx.gateway.options import GatewayOptions
    from sardonyx.registry.tokens import Provider

    provider = None
    if options.oidc_issuer:
        if not options.oidc_audience:
            raise UserError("--oidc-issuer needs --oidc-audience: the name that tokens for this server carry")
        roles = dict(parse_pairs(options.oidc_role, "--oidc-role"))
        provider = Provider(options.oidc_issuer, options.oidc_audience, options.oidc_roles_claim, roles=roles)
    return GatewayOptions(
        home=home_folder(options.home),
        database=options.database,
        artefacts=options.artefacts,
        require_keys=options.require_keys,
        trusted=options.host in ("127.0.0.1", "localhost", "::1"),
        provider=provider,
        allow_sources=tuple(options.allow_source),
        allow_private_urls=options.allow_private_urls,
        monitoring=_monitor_options(options),
    )


def _monitor_options(options: argparse.Namespace) -> Any:
    from sardonyx.database import home_folder
    from sardonyx.monitor.capture import Collection
    from sardonyx.monitor.logs import log_to_stderr
    from sardonyx.monitor.monitoring import MonitorOptions
    from sardonyx.monitor.needs import MissingLibraryError, need
    from sardonyx.monitor.traces import export

    collections = {}
    try:
        if options.log_payloads:
            for library in ("pyarrow", "duckdb", "scipy"):
                need(library, "--log-payloads")
            redact = parse_pairs(options.redact, "--redact")
            collections["*"] = Collection(options.log_payloads, redact, tuple(options.redact_words))
        export()
    except (MissingLibraryError, ValueError) as error:
        raise UserError(str(error)) from None
    if options.log_requests:
        log_to_stderr()
    return MonitorOptions(
        home=home_folder(options.home),
        collections=collections,
        payload_max_age_s=options.payload_days * 86400,
        payload_max_bytes=int(options.payload_gb * 1e9),
        triton_names=options.triton_metrics,
        log_requests=options.log_requests,
        trace_sampling_rate=options.trace_rate,
        private_webhooks=options.allow_private_urls,
    )


def _announce(gateway: Any) -> None:
    from sardonyx.serve.server import tune_process

    server = gateway.server
    tune_process()
    rows = gateway.core.index()
    for row in rows:
        if row["reason"]:
            print(f"not served: {row['name']} version {row['version']}: {row['reason']}", file=sys.stderr)
    if not rows:
        print("there is no model yet: sardonyx register NAME FILE", file=sys.stderr)
    print(f"ready {server.http_url} {server.grpc_url} console {server.http_url}/console", flush=True)
