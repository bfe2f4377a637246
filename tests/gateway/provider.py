"""An OpenID Connect provider: discovery and keys over HTTP, tokens by its private key."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

AUDIENCE = "sardonyx"


class Provider:
    """Issues tokens; `rotate` makes new keys."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.asked = 0
        self._number = 0
        self._private: dict[str, tuple[str, Any]] = {}
        self.rotate()

    def rotate(self) -> None:
        self._number += 1
        self._private = {
            f"rsa{self._number}": ("RS256", rsa.generate_private_key(65537, 2048)),
            f"ec{self._number}": ("ES256", ec.generate_private_key(ec.SECP256R1())),
        }

    def document(self, path: str) -> dict[str, Any] | None:
        self.asked += 1
        if path == "/.well-known/openid-configuration":
            return {"issuer": self.url, "jwks_uri": f"{self.url}/keys"}
        if path != "/keys":
            return None
        keys = []
        for name, (algorithm, key) in self._private.items():
            writer: Any = RSAAlgorithm if algorithm == "RS256" else ECAlgorithm
            public = json.loads(writer.to_jwk(key.public_key()))
            keys.append({**public, "kid": name, "alg": algorithm, "use": "sig"})
        return {"keys": keys}

    def token(self, kind: str = "rsa", headers: dict[str, Any] | None = None, **claims: Any) -> str:
        name = f"{kind}{self._number}"
        algorithm, key = self._private[name]
        now = int(time.time())
        base = {"iss": self.url, "aud": AUDIENCE, "sub": "ada", "iat": now, "exp": now + 60}
        chosen = {key: value for key, value in {**base, **claims}.items() if value is not None}
        return jwt.encode(chosen, key, algorithm, headers={"kid": name, **(headers or {})})

    def public_pem(self) -> bytes:
        from cryptography.hazmat.primitives import serialization as s

        _, key = self._private[f"rsa{self._number}"]
        pem: bytes = key.public_key().public_bytes(s.Encoding.PEM, s.PublicFormat.SubjectPublicKeyInfo)
        return pem


@contextmanager
def provider() -> Iterator[Provider]:
    """A provider on a free port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            document = made.document(self.path)
            body = json.dumps(document).encode()
            self.send_response(404 if document is None else 200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        made = Provider(f"http://127.0.0.1:{server.server_address[1]}")
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield made
        finally:
            server.shutdown()
            thread.join()
