"""The signals that end a server in order."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from sardonyx.serve.ending import ending_signals


@pytest.fixture
def hang_up() -> Iterator[None]:
    before = signal.getsignal(signal.SIGHUP)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.mark.usefixtures("hang_up")
@pytest.mark.parametrize(("handler", "ends"), [(signal.SIG_DFL, True), (signal.SIG_IGN, False)])
def test_a_closed_terminal_ends_what_nohup_does_not_keep(handler: signal.Handlers, ends: bool) -> None:
    signal.signal(signal.SIGHUP, handler)
    assert set(ending_signals()) == {signal.SIGINT, signal.SIGTERM, *((signal.SIGHUP,) if ends else ())}
