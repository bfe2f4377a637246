"""Every call on monitors of the synchronous client is the request that it should be."""

from __future__ import annotations

import pytest

from sardonyx.client.monitors_synchronous import Monitoring
from tests.unit.client.calls import OF_MONITORS, Call, Server
from tests.unit.client.test_synchronous import client


@pytest.mark.parametrize("row", OF_MONITORS, ids=lambda row: f"{row.name}{row.given[:1]}")
def test_every_call(row: Call) -> None:
    server = Server(row.answer)
    with client(server) as asked:
        assert isinstance(asked, Monitoring)
        assert getattr(asked, row.name)(*row.given, **row.named) == row.answer
    server.was_asked(row)


def test_none_is_left_out() -> None:
    assert {row.name for row in OF_MONITORS} == {
        name for name in vars(Monitoring) if not name.startswith("_")
    }


def test_it_sends_nothing_by_itself() -> None:
    with pytest.raises(TypeError, match="abstract"):
        Monitoring()  # type: ignore[abstract]
