"""A state is in force once its models are loaded, and settled once what only older ones needed is gone."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import cast

from sardonyx.gateway.applied import Applied
from sardonyx.registry.state import State, VersionState
from sardonyx.serve.core import Core

SECONDS = 5


def version(number: str) -> VersionState:
    return VersionState("add", number, "digest", (), {})


class Repository:
    """Notes what is wanted at each look, and stays at the second one until it may go on."""

    def __init__(self) -> None:
        self.looks: list[list[str]] = []
        self.applied: Applied | None = None
        self.may_go = asyncio.Event()

    async def refresh(self) -> None:
        assert self.applied is not None
        self.looks.append(sorted(v.version for v in self.applied.needed().wanted))
        if len(self.looks) == 2:
            await self.may_go.wait()


def test_what_is_no_longer_wanted_is_gone_when_a_state_is_settled() -> None:
    async def run() -> None:
        newest = State(1, wanted=(version("1"),))
        applied, core = Applied(lambda: newest), Repository()
        core.applied = applied
        applied.adopt(newest)
        await applied.follow(cast(Core, core))
        assert applied.settle(1, 0)
        newest = State(2, wanted=(version("2"),))
        applied.announce(newest)
        assert await asyncio.to_thread(applied.wait, 2, SECONDS)
        assert not await asyncio.to_thread(applied.settle, 2, 0.01)
        core.may_go.set()
        assert await asyncio.to_thread(applied.settle, 2, SECONDS)
        assert core.looks == [["1", "2"], ["2"]]
        await applied.stop()

    asyncio.run(run())


def test_what_an_endpoint_routed_to_is_needed_until_the_next_state_is_in_force() -> None:
    before = replace(version("1"), endpoints=frozenset({"sum", "old"}))
    after = replace(version("1"), endpoints=frozenset({"new"}))
    applied = Applied(lambda: State(2, wanted=(after,)))
    applied.adopt(State(1, wanted=(before,)))
    (needed,) = applied.needed().wanted
    assert needed.endpoints == {"sum", "old", "new"}
    applied.adopt(State(2, wanted=(after,)))
    assert applied.needed().wanted == (after,)
