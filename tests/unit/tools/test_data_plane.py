"""Options of a command line become those of a server, in its units."""

from __future__ import annotations

import argparse
from typing import Any

import pytest

from sardonyx.tools.console import UserError
from sardonyx.tools.data_plane import add_data_plane_options, data_plane_options


def parsed(*words: str) -> Any:
    parser = argparse.ArgumentParser()
    add_data_plane_options(parser)
    options = parser.parse_args(words)
    return argparse.Namespace(host="h", http_port=1, grpc_port=2, threads=3, **vars(options))


def test_units() -> None:
    made = data_plane_options(
        parsed("--max-body", "2", "--memory", "3", "--timeout", "0.5", "--drain", "1"), None
    )
    assert (made.max_body_bytes, made.memory_bytes, made.timeout_s, made.drain_s) == (
        2 << 20,
        3 << 20,
        0.5,
        1,
    )
    plain = data_plane_options(parsed(), None)
    assert (plain.memory_bytes, plain.timeout_s, plain.overload_status) == (None, None, 503)
    assert (plain.host, plain.http_port, plain.grpc_port, plain.threads) == ("h", 1, 2, 3)


def test_origins_are_what_browsers_send() -> None:
    assert data_plane_options(parsed(), None).cors_origins == ()
    given = ["https://app.example.org", "http://localhost:3000", "*"]
    words = [word for origin in given for word in ("--cors-origin", origin)]
    assert data_plane_options(parsed(*words), None).cors_origins == tuple(given)
    for wrong in ("app.example.org", "https://app.example.org/", "https://*.example.org", "", "null"):
        with pytest.raises(UserError, match="--cors-origin"):
            data_plane_options(parsed("--cors-origin", wrong), None)


@pytest.mark.parametrize("option", ["--queue-size", "--max-body"])
def test_sizes_are_positive(option: str) -> None:
    with pytest.raises(UserError, match=f"{option}: give a positive number"):
        data_plane_options(parsed(option, "0"), None)


@pytest.mark.parametrize("option", ["--timeout", "--drain"])
@pytest.mark.parametrize("seconds", ["nan", "inf", "-1"])
def test_times_are_times(option: str, seconds: str) -> None:
    with pytest.raises(UserError, match=f"{option} .*: give seconds, from 0 on"):
        data_plane_options(parsed(f"{option}={seconds}"), None)
