"""`sardonyx serve`: what the options mean to gateway and monitors, and which ones belong together."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from sardonyx.monitor import needs
from sardonyx.monitor.monitoring import MonitorOptions
from sardonyx.tools.commands import serve
from sardonyx.tools.console import UserError


def options(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    serve.add(parser.add_subparsers())
    return parser.parse_args(["serve", *words])


def test_certificates(tmp_path: Path) -> None:
    assert serve._tls(options()) is None
    with pytest.raises(UserError, match="--tls-certificate needs --tls-key"):
        serve._tls(options("--tls-certificate", "c.pem"))
    tls = serve._tls(options("--tls-certificate", "c.pem", "--tls-key", "k.pem", "--tls-client-ca", "a.pem"))
    assert (tls.certificate, tls.key, tls.client_ca) == (Path("c.pem"), Path("k.pem"), Path("a.pem"))
    assert serve._tls(options("--tls-certificate", "c.pem", "--tls-key", "k.pem")).client_ca is None


@pytest.mark.parametrize(
    ("host", "trusted"), [("127.0.0.1", True), ("localhost", True), ("::1", True), ("0.0.0.0", False)]
)
def test_only_this_machine_is_trusted(host: str, trusted: bool, tmp_path: Path) -> None:
    assert serve._gateway_options(options("--home", str(tmp_path), "--host", host)).trusted == trusted


def test_the_gateway(tmp_path: Path) -> None:
    words = (
        "--database",
        "postgresql://h/d",
        "--artefacts",
        "s3://b",
        "--require-keys",
        "--allow-source",
        "s3://c/",
    )
    found = serve._gateway_options(options("--home", str(tmp_path), *words))
    assert (found.home, found.database, found.artefacts) == (tmp_path, "postgresql://h/d", "s3://b")
    assert found.require_keys and found.allow_sources == ("s3://c/",) and not found.allow_private_urls
    assert found.provider is None


def test_a_provider_of_tokens(tmp_path: Path) -> None:
    words = ("--home", str(tmp_path), "--oidc-issuer", "https://id")
    with pytest.raises(UserError, match="--oidc-issuer needs --oidc-audience"):
        serve._gateway_options(options(*words))
    roles = ("--oidc-role", "staff=user", "--oidc-role", "ops=admin", "--oidc-roles-claim", "groups")
    found = serve._gateway_options(options(*words, "--oidc-audience", "here", *roles)).provider
    assert (found.issuer, found.audience, found.roles_claim) == ("https://id", "here", "groups")
    assert found.roles == {"staff": "user", "ops": "admin"}


def test_monitors(tmp_path: Path) -> None:
    home = ("--home", str(tmp_path))
    quiet = serve._monitor_options(options(*home))
    assert (
        quiet.collections == {}
        and quiet.payload_max_age_s == 30 * 86400
        and quiet.payload_max_bytes == 10**10
    )
    words = (
        "--payload-days",
        "0.5",
        "--payload-gb",
        "0.001",
        "--redact",
        "x=drop",
        "--redact-words",
        "email",
    )
    kept = serve._monitor_options(options(*home, *words, "--triton-metrics", "--log-payloads"))
    assert (kept.payload_max_age_s, kept.payload_max_bytes, kept.triton_names) == (43200, 10**6, True)
    collection = kept.collections["*"]
    assert (collection.sampling_rate, collection.redact, collection.patterns) == (
        1.0,
        {"x": "drop"},
        ("email",),
    )
    shared = serve._monitor_options(options(*home, "--log-payloads", "0.25")).collections["*"]
    assert shared.sampling_rate == 0.25


def test_payloads_need_their_libraries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    find = needs.importlib.util.find_spec
    monkeypatch.setattr(
        needs.importlib.util, "find_spec", lambda name: None if name == "duckdb" else find(name)
    )
    with pytest.raises(UserError, match="--log-payloads needs duckdb: pip install"):
        serve._monitor_options(options("--home", str(tmp_path), "--log-payloads"))
    assert serve._monitor_options(options("--home", str(tmp_path))).collections == {}


def test_serving_needs_its_libraries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sardonyx.gateway.run", None)
    with pytest.raises(UserError, match=r"is missing; install it with: pip install 'sardonyx\[serve\]'"):
        serve.command(options())


def test_packages_that_do_not_fit_together_are_told(tmp_path: Path) -> None:
    """As when another package took protobuf back to a version before that of gRPC's health service."""
    package = tmp_path / "grpc_health/v1"
    package.mkdir(parents=True)
    for folder in (package, package.parent):
        (folder / "__init__.py").touch()
    (package / "health_pb2.py").write_text(
        "from google.protobuf.runtime_version import Domain, ValidateProtobufRuntimeVersion\n"
        "ValidateProtobufRuntimeVersion(Domain.PUBLIC, 99, 1, 0, '', 'health.proto')\n"
    )
    command = [sys.executable, "-m", "sardonyx", "serve", "none.onnx", "--home", str(tmp_path / "home")]
    search = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        command, env={**os.environ, "PYTHONPATH": search}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "health.proto" in done.stderr and "`pip check` says" in done.stderr


def test_what_cannot_be_served_ends_it(tmp_path: Path) -> None:
    words = (
        str(tmp_path / "none.onnx"),
        "--home",
        str(tmp_path / "home"),
        "--http-port",
        "0",
        "--grpc-port",
        "0",
    )
    with pytest.raises(UserError, match="none"):
        serve.command(options(*words))


def test_what_is_not_served_is_told(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sardonyx.serve.server.tune_process", lambda: None)
    row = {"name": "a", "version": "1", "state": "READY", "reason": ""}
    rows = [row, {**row, "version": "2", "state": "UNAVAILABLE", "reason": "why not"}]
    server = SimpleNamespace(http_url="http://h:1", grpc_url="grpc://h:2")
    for index, told in (
        (rows, "not served: a version 2: why not\n"),
        ([], "there is no model yet: sardonyx reg"),
    ):
        serve._announce(SimpleNamespace(server=server, core=SimpleNamespace(index=lambda index=index: index)))
        said = capsys.readouterr()
        assert said.err.startswith(told)
        assert said.out == "ready http://h:1 grpc://h:2 console http://h:1/console\n"


@pytest.mark.parametrize("number", ["70000", "-1", "http"])
def test_a_port_is_one(number: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        options("--http-port", number)
    assert "--http-port" in capsys.readouterr().err


def test_the_command_and_the_monitors_keep_payloads_equally_long(tmp_path: Path) -> None:
    told = serve._monitor_options(options("--home", str(tmp_path)))
    default = MonitorOptions(tmp_path)
    assert (told.payload_max_age_s, told.payload_max_bytes) == (
        default.payload_max_age_s,
        default.payload_max_bytes,
    )
