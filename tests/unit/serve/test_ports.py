"""A port that cannot be had is told with its address, the reason and what to do."""

import socket

import pytest

from sardonyx.serve.ports import bound


def test_any_free_port_is_bound() -> None:
    with bound("127.0.0.1", 0, "--port") as made:
        assert made.getsockname()[1] > 0


def test_a_port_that_is_taken_is_told() -> None:
    with bound("127.0.0.1", 0, "--port") as first:
        first.listen()
        port = first.getsockname()[1]
        with pytest.raises(
            OSError, match=f"^127.0.0.1:{port} cannot be listened on: .+; choose another port with --port "
        ):
            bound("127.0.0.1", port, "--port")


def test_a_host_that_is_none_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> object:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(OSError, match="^nowhere:80 cannot be listened on: Name .*; choose another host$"):
        bound("nowhere", 80, "--port")
