"""Every call on monitors of the asynchronous client is the request that it should be."""

from __future__ import annotations

import pytest

from sardonyx.client.monitors_asynchronous import AsyncMonitoring
from tests.unit.client.calls import OF_MONITORS, Call, Server
from tests.unit.client.test_asynchronous import ask


@pytest.mark.parametrize("row", OF_MONITORS, ids=lambda row: f"{row.name}{row.given[:1]}")
def test_every_call(row: Call) -> None:
    server = Server(row.answer)
    assert ask(server, lambda client: getattr(client, row.name)(*row.given, **row.named)) == row.answer
    server.was_asked(row)


def test_none_is_left_out() -> None:
    assert {row.name for row in OF_MONITORS} == {
        name for name in vars(AsyncMonitoring) if not name.startswith("_")
    }
