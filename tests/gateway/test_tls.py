"""HTTPS and gRPC over TLS: certificates, those of clients, and what changes while the server runs."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path

import grpc
import httpx
import pytest

from sardonyx.client import AsyncClient, Client
from sardonyx.client.exchange import authorities
from sardonyx.gateway.gateway import Gateway
from sardonyx.protocol.errors import Code, ServeError
from sardonyx.protocol.records import Model
from sardonyx.serve.options import Tls
from sardonyx.tools.cli import main
from tests.gateway.certificates import Authority
from tests.gateway.running import client_of, running


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    (tmp_path / "tls").mkdir()
    return Authority(tmp_path / "tls")


def trusting(authority: Authority, pair: tuple[Path, Path] | None = None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=authority.path)
    if pair is not None:
        context.load_cert_chain(*pair)
    return context


def serial(gateway: Gateway, authority: Authority) -> int:
    """The number of the certificate that HTTPS shows."""
    with (
        httpx.Client(verify=trusting(authority)) as client,
        client.stream("GET", gateway.server.http_url + "/v2/health/live") as answer,
    ):
        shown = answer.extensions["network_stream"].get_extra_info("ssl_object").getpeercert()
        return int(shown["serialNumber"], 16)


def live(gateway: Gateway, authority: Authority, pair: tuple[Path, Path] | None = None) -> bool:
    """Whether gRPC over TLS answers."""
    certificate, key = (path.read_bytes() for path in pair) if pair else (None, None)
    credentials = grpc.ssl_channel_credentials(authority.path.read_bytes(), key, certificate)
    address = gateway.server.grpc_url.removeprefix("grpcs://")
    with grpc.secure_channel(address, credentials) as channel:
        ask = channel.unary_unary("/inference.GRPCInferenceService/ServerLive")
        try:
            return bool(ask(b"", timeout=2))
        except grpc.RpcError:
            return False


def test_both_protocols_are_encrypted_and_a_new_certificate_is_taken(
    authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair = authority.issue("server")
    with running(tmp_path / "home", tls=Tls(*pair)) as gateway:
        assert gateway.server.http_url.startswith("https://")
        with client_of(gateway, verify=trusting(authority)) as client:
            assert client.ready()
            assert client.models() == []
        with client_of(gateway, retries=0) as stranger:
            assert not stranger.live()
            with pytest.raises(ServeError, match="SSL_CERT_FILE names"):
                stranger.models()
        assert live(gateway, authority)
        before = serial(gateway, authority)
        authority.issue("server")
        gateway.server.credentials.renew()  # type: ignore[union-attr]
        assert serial(gateway, authority) > before
        assert live(gateway, authority)
        pair[0].write_bytes(b"no certificate")
        gateway.server.credentials.renew()  # type: ignore[union-attr]
        assert serial(gateway, authority) > before


def test_only_clients_with_a_certificate_are_let_in(authority: Authority, tmp_path: Path) -> None:
    tls = Tls(*authority.issue("server"), client_ca=authority.path)
    (tmp_path / "other").mkdir()
    known, stranger = authority.issue("client"), Authority(tmp_path / "other").issue("client")
    with running(tmp_path / "home", tls=tls) as gateway:
        for pair, expected in ((known, True), (stranger, False), (None, False)):
            with client_of(gateway, verify=trusting(authority, pair), retries=0) as client:
                assert client.live() == expected
            assert live(gateway, authority, pair) == expected


@pytest.mark.parametrize("way", ["options", "environment", "one file"])
def test_commands_and_clients_show_their_certificate(
    authority: Authority,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    way: str,
) -> None:
    tls = Tls(*authority.issue("server"), client_ca=authority.path)
    certificate, key = authority.issue("client")
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.path))
    authorities.cache_clear()
    words: list[str] = ["--certificate", str(certificate), "--certificate-key", str(key)]
    given: dict[str, Path] = {"certificate": certificate, "certificate_key": key}
    if way == "environment":
        monkeypatch.setenv("SARDONYX_CERTIFICATE", str(certificate))
        monkeypatch.setenv("SARDONYX_CERTIFICATE_KEY", str(key))
        words, given = [], {}
    elif way == "one file":
        both = tmp_path / "both.pem"
        both.write_bytes(certificate.read_bytes() + key.read_bytes())
        words, given = ["--certificate", str(both)], {"certificate": both}

    async def asked(url: str) -> list[Model]:
        async with AsyncClient(url, retries=0, **given) as client:
            return await client.models()

    with running(tmp_path / "home", tls=tls) as gateway:
        url = gateway.server.http_url
        with client_of(gateway, retries=0, **given) as client:
            client.create_model("digits")
            assert [model.name for model in asyncio.run(asked(url))] == ["digits"]
        assert main(["models", "--server", url, "--json", *words]) == 0
        assert "digits" in capsys.readouterr().out
        monkeypatch.delenv("SARDONYX_CERTIFICATE", raising=False)
        with client_of(gateway, retries=0) as client, pytest.raises(ServeError, match="SARDONYX_CERTIFICATE"):
            client.models()
    authorities.cache_clear()


def test_a_certificate_that_cannot_be_shown_is_told(
    authority: Authority, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate, _ = authority.issue("one")
    _, key = authority.issue("two")
    for path, secret, why in ((certificate, key, "(?i)mismatch"), (tmp_path / "no.pem", key, "No such file")):
        with pytest.raises(ServeError, match=why) as caught:
            Client("https://localhost", certificate=path, certificate_key=secret)
        assert caught.value.code is Code.INVALID_ARGUMENT and str(path) in caught.value.message
    words = ["models", "--server", "https://localhost:1", "--certificate", str(tmp_path / "no.pem")]
    assert main(words) != 0 and "no.pem cannot be shown" in capsys.readouterr().err
    monkeypatch.setenv("SARDONYX_CERTIFICATE", str(tmp_path / "no.pem"))
    assert main(["models", "--home", str(tmp_path / "home")]) == 0, "nothing is shown within a process"


def test_files_that_do_not_fit_are_told(authority: Authority, tmp_path: Path) -> None:
    certificate, _ = authority.issue("one")
    _, key = authority.issue("two")
    with pytest.raises(OSError, match="(?i)key"), running(tmp_path / "home", tls=Tls(certificate, key)):
        pass
