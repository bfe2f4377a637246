"""Which registry a command speaks to, and how times and missing packages are told."""

from __future__ import annotations

import argparse
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from sardonyx.protocol.errors import not_found
from sardonyx.protocol.records import Check
from sardonyx.tools import server
from sardonyx.tools.console import UserError
from sardonyx.tools.server import administered, missing, open_client, plain, seconds_of, time_ago


def options(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    server.add_server_options(parser)
    return parser.parse_args(words)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90), ("30s", 30), ("5m", 300), ("1.5h", 5400), ("30d", 2592000), ("2w", 1209600)],
)
def test_times(text: str, seconds: float) -> None:
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["", "soon", "5y", "-1s", "1 m", "1.s"])
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(UserError, match=r"is not a time; write for example 30s"):
        seconds_of(text)


def test_a_server_by_option_or_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SARDONYX_SERVER", "http://of-the-environment")
    for words, url in ((("--server", "http://given"), "http://given"), ((), "http://of-the-environment")):
        with open_client(options(*words, "--key", "k")) as client:
            assert str(client._http.base_url).startswith(url)
            assert client._http.headers["authorization"] == "Bearer k"


def test_a_home_wins_over_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SARDONYX_SERVER", "http://of-the-environment")
    with open_client(options("--home", str(tmp_path / "home"))) as client:
        assert client.models() == []
    assert (tmp_path / "home").is_dir()


def test_refusals_are_errors_of_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def act(given: argparse.Namespace, client: Any) -> int:
        if given.json:
            raise not_found("no such thing")
        return 7

    home = ("--home", str(tmp_path))
    assert administered(act)(options(*home)) == 7
    with pytest.raises(UserError, match="^no such thing$"):
        administered(act)(options(*home, "--json"))
    monkeypatch.setitem(sys.modules, "sardonyx.client", None)
    with pytest.raises(UserError, match="is missing; install it with"):
        administered(act)(options(*home))


def test_words() -> None:
    told = str(missing(ModuleNotFoundError("x", name="msgspec")))
    assert told == "msgspec is missing; install it with: pip install 'sardonyx[serve]'"
    assert (time_ago(None), time_ago(datetime(2026, 1, 2, 3, 4, 59, tzinfo=UTC))) == ("", "2026-01-02 03:04")
    assert plain([Check(name="a", verdict="passed")]) == [{"name": "a", "verdict": "passed", "detail": ""}]
