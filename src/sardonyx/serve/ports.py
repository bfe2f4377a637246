"""Ports that are listened on, and in which words it is said that one cannot be had."""

from __future__ import annotations

import socket


def bound(host: str, port: int, option: str) -> socket.socket:
    """A TCP socket at an address, 0 being any free port.

    Raises OSError that says which address, why, and by which option of the command the port is chosen.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        made = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            made.bind(address)
        except OSError:
            made.close()
            raise
    except OSError as error:
        advice = "choose another host" if isinstance(error, socket.gaierror) else another_port(option)
        raise OSError(f"{host}:{port} cannot be listened on: {error.strerror}; {advice}") from error
    return made


def another_port(option: str) -> str:
    """What to do about a port that cannot be had."""
    return f"choose another port with {option} (0 = any free port)"
