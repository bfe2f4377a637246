"""The certificate of the server, for HTTP and gRPC, read anew when its file changes.

Must not know what is served.
"""

from __future__ import annotations

import ssl
from typing import Any

import uvicorn

from sardonyx.ort.logger import ERROR, log
from sardonyx.serve.grpcio import grpc
from sardonyx.serve.options import Tls


class Credentials:
    """What the listeners need of a `Tls`; `renew` brings changed files to new connections."""

    def __init__(self, tls: Tls) -> None:
        _check(tls)
        self._tls = tls
        self._read_at = self._changed_at()
        self._contexts: list[ssl.SSLContext] = []
        self._renewed = False

    def for_http(self) -> dict[str, Any]:
        """Options of uvicorn."""
        client_ca = self._tls.client_ca
        return {
            "ssl_certfile": str(self._tls.certificate),
            "ssl_keyfile": str(self._tls.key),
            "ssl_ca_certs": None if client_ca is None else str(client_ca),
            "ssl_cert_reqs": ssl.CERT_NONE if client_ca is None else ssl.CERT_REQUIRED,
            "ssl_version": ssl.PROTOCOL_TLS_SERVER,
        }

    def watch(self, config: uvicorn.Config) -> None:
        """Renew this configuration's context too; TLS 1.2 is the least that it speaks."""
        if config.ssl is not None:
            config.ssl.minimum_version = ssl.TLSVersion.TLSv1_2
            self._contexts.append(config.ssl)

    def for_grpc(self) -> grpc.ServerCredentials:
        """Credentials that ask for the files at every connection."""
        return grpc.dynamic_ssl_server_credentials(
            self._configuration(), self._fetch, require_client_authentication=self._tls.client_ca is not None
        )

    def renew(self) -> None:
        """Read changed files; files that do not fit together are told, and the old ones stay."""
        try:
            changed_at = self._changed_at()
            if changed_at == self._read_at:
                return
            self._read_at = changed_at
            _check(self._tls)
            for context in self._contexts:
                context.load_cert_chain(self._tls.certificate, self._tls.key)
            self._renewed = True
        except OSError as error:
            log(ERROR, f"the certificate {self._tls.certificate} is not taken: {error}")

    def _fetch(self) -> grpc.ServerCertificateConfiguration | None:
        renewed, self._renewed = self._renewed, False
        return self._configuration() if renewed else None

    def _configuration(self) -> grpc.ServerCertificateConfiguration:
        tls = self._tls
        pair = (tls.key.read_bytes(), tls.certificate.read_bytes())
        return grpc.ssl_server_certificate_configuration(
            [pair], None if tls.client_ca is None else tls.client_ca.read_bytes()
        )

    def _changed_at(self) -> tuple[int, int]:
        return self._tls.certificate.stat().st_mtime_ns, self._tls.key.stat().st_mtime_ns


def _check(tls: Tls) -> None:
    """Raise OSError (ssl.SSLError is one) if the files are not a certificate and key that belong together."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    for path in filter(None, (tls.certificate, tls.key, tls.client_ca)):
        path.open("rb").close()  # OpenSSL names no file
    files = f"{tls.certificate} and {tls.key} are not a certificate and its key in PEM"
    try:
        context.load_cert_chain(tls.certificate, tls.key)
        if tls.client_ca is not None:
            files = f"{tls.client_ca} holds no certificate of an authority in PEM"
            context.load_verify_locations(tls.client_ca)
    except ssl.SSLError as error:
        raise ssl.SSLError(error.errno, f"{files}: {error.strerror}") from error
