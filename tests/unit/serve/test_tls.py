"""Certificates: what must fit together, and how changed files reach new connections."""

from __future__ import annotations

import os
import ssl
from pathlib import Path

import pytest
import uvicorn

from sardonyx.serve.options import Tls
from sardonyx.serve.tls import Credentials
from tests.gateway.certificates import Authority


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("certificates"))


def context(credentials: Credentials) -> ssl.SSLContext:
    config = uvicorn.Config("none", **credentials.for_http())
    config.load_ssl() if hasattr(config, "load_ssl") else setattr(
        config, "ssl", ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    )
    credentials.watch(config)
    assert config.ssl is not None
    return config.ssl


def test_clients_are_asked_for_a_certificate_if_there_is_an_authority(authority: Authority) -> None:
    certificate, key = authority.issue("server")
    plain = Credentials(Tls(certificate, key)).for_http()
    assert (plain["ssl_certfile"], plain["ssl_keyfile"]) == (str(certificate), str(key))
    assert (plain["ssl_cert_reqs"], plain["ssl_ca_certs"]) == (ssl.CERT_NONE, None)
    asking = Credentials(Tls(certificate, key, authority.path)).for_http()
    assert (asking["ssl_cert_reqs"], asking["ssl_ca_certs"]) == (ssl.CERT_REQUIRED, str(authority.path))


def test_files_that_do_not_fit_are_refused_at_once(authority: Authority, tmp_path: Path) -> None:
    certificate, _ = authority.issue("one")
    _, key = authority.issue("two")
    with pytest.raises(OSError, match="KEY_VALUES_MISMATCH|key values mismatch"):
        Credentials(Tls(certificate, key))
    with pytest.raises(FileNotFoundError, match="none"):
        Credentials(Tls(tmp_path / "none", key))
    (tmp_path / "text").write_text("hello")
    with pytest.raises(OSError, match="text holds no certificate"):
        Credentials(Tls(*authority.issue("three"), tmp_path / "text"))
    with pytest.raises(OSError, match="text are not a certificate and its key in PEM"):
        Credentials(Tls(certificate, tmp_path / "text"))


def test_old_protocols_are_not_spoken(authority: Authority) -> None:
    made = context(Credentials(Tls(*authority.issue("server"))))
    assert made.minimum_version == ssl.TLSVersion.TLSv1_2


def test_a_changed_certificate_is_fetched_once(authority: Authority) -> None:
    certificate, key = authority.issue("server")
    credentials = Credentials(Tls(certificate, key))
    credentials.renew()
    assert credentials._fetch() is None
    authority.issue("server")
    os.utime(certificate, ns=(1, 1))
    credentials.renew()
    assert credentials._fetch() is not None
    assert credentials._fetch() is None


def test_a_certificate_that_is_damaged_leaves_the_old_one(
    authority: Authority, capsys: pytest.CaptureFixture[str]
) -> None:
    certificate, key = authority.issue("server")
    credentials = Credentials(Tls(certificate, key))
    whole = certificate.read_bytes()
    certificate.write_bytes(b"damaged")
    for _ in range(2):
        credentials.renew()
    assert credentials._fetch() is None
    assert capsys.readouterr().err.count(f"the certificate {certificate} is not taken: ") == 1
    certificate.write_bytes(whole)
    os.utime(certificate, ns=(2, 2))
    credentials.renew()
    assert credentials._fetch() is not None
    assert credentials.for_grpc() is not None
