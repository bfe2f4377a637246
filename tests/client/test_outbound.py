"""Addresses that somebody else named: only public ones are reached, whatever name or detour leads there."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from sardonyx.client import outbound
from sardonyx.client.outbound import Outbound, is_public, shown
from sardonyx.protocol.errors import Code, ServeError

INNER = [
    "http://127.0.0.1/m.onnx",
    "http://localhost/m.onnx",
    "http://127.1/",
    "http://2130706433/",
    "http://0x7f000001/",
    "http://0.0.0.0/",
    "http://[::1]/",
    "http://[::ffff:127.0.0.1]/",
    "http://[::ffff:169.254.169.254]/",
    "http://[fe80::1]/",
    "http://[fd00::1]/",
    "http://[64:ff9b::7f00:1]/",
    "http://[64:ff9b:1::1]/",
    "http://[2002:7f00:1::]/",
    "http://[2001:0:1:1:1:1:80ff:fffe]/",
    "http://[::127.0.0.1]/",
    "http://10.0.0.1/",
    "http://172.16.0.1/",
    "http://192.168.1.1/",
    "http://100.64.0.1/",
    "http://169.254.169.254/latest/meta-data/",
    "http://224.0.0.1/",
    "http://255.255.255.255/",
]
NO_HTTP = ["file:///etc/passwd", "ftp://host/x", "gopher://host/", "http:///x", "//host/x", "http://", "x\n"]


@pytest.mark.parametrize("url", INNER + NO_HTTP)
def test_addresses_inside_are_refused(url: str, tmp_path: Path) -> None:
    with pytest.raises(ServeError) as caught:
        Outbound(timeout_s=2).download(url, tmp_path / "m", 100)
    assert caught.value.code is Code.INVALID_ARGUMENT
    assert not (tmp_path / "m").exists()


def test_public_addresses_are_public() -> None:
    assert all(map(is_public, ("1.1.1.1", "8.8.8.8", "2606:4700:4700::1111", "::ffff:8.8.8.8")))


class Server:
    """Answers each path from a table of (status, headers, body) and keeps what it was asked."""

    def __init__(self) -> None:
        self.answers: dict[str, tuple[int, dict[str, str], bytes]] = {}
        self.hosts: list[str] = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                server.hosts.append(self.headers["host"])
                status, headers, body = server.answers.get(self.path, (404, {}, b""))
                self.send_response(status)
                for name, value in {"content-length": str(len(body)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self._http.server_address[1]
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,))
        self._thread.start()

    def close(self) -> None:
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.close()


@pytest.fixture
def public_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    """127.0.0.1 stands for the internet, as there is none in a test; models.example is a name of it."""
    monkeypatch.setattr(outbound, "is_public", lambda address: address == "127.0.0.1")
    asked = socket.getaddrinfo

    def named(host: Any, *rest: Any, **options: Any) -> Any:
        return asked("127.0.0.1" if host == "models.example" else host, *rest, **options)

    monkeypatch.setattr(socket, "getaddrinfo", named)


@pytest.mark.usefixtures("public_loopback")
def test_a_name_is_asked_for_at_the_address_that_was_checked(server: Server, tmp_path: Path) -> None:
    server.answers["/m.onnx"] = (200, {}, b"model")
    Outbound().download(f"http://models.example:{server.port}/m.onnx", tmp_path / "m", 100)
    assert (tmp_path / "m").read_bytes() == b"model"
    assert server.hosts == [f"models.example:{server.port}"]


@pytest.mark.usefixtures("public_loopback")
@pytest.mark.parametrize("to", ["http://127.0.0.2/secret", "http://169.254.169.254/", "file:///etc/passwd"])
def test_a_redirect_inside_is_refused(server: Server, to: str) -> None:
    server.answers["/m"] = (302, {"location": to}, b"")
    with pytest.raises(ServeError) as caught:
        Outbound().get(f"http://127.0.0.1:{server.port}/m")
    assert caught.value.code is Code.INVALID_ARGUMENT


@pytest.mark.usefixtures("public_loopback")
def test_redirects_end_and_bodies_have_a_limit(server: Server, tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{server.port}"
    server.answers["/loop"] = (302, {"location": "/loop"}, b"")
    server.answers["/on"] = (302, {"location": "/big"}, b"")
    server.answers["/big"] = (200, {}, bytes(2000))
    with pytest.raises(ServeError, match="redirects more than"):
        Outbound().get(f"{url}/loop")
    with pytest.raises(ServeError) as caught:
        Outbound().download(f"{url}/on", tmp_path / "m", 1999)
    assert caught.value.code is Code.TOO_LARGE
    assert len(Outbound().get(f"{url}/on")) == 2000
    with pytest.raises(ServeError, match="answered 404"):
        Outbound().get(f"{url}/none")


def test_secrets_of_a_url_are_not_shown() -> None:
    text = shown("https://ada:hunter2@host/m.onnx?token=hunter2#hunter2")
    assert text == "https://host/m.onnx"
    with pytest.raises(ServeError) as caught:
        Outbound().get("http://ada:hunter2@127.0.0.1/m?token=hunter2")
    assert "hunter2" not in caught.value.message
