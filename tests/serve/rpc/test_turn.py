"""Places in a queue that those who hold them leave in any order."""

from __future__ import annotations

import asyncio

from sardonyx.serve.rpc.turn import Turn


async def came(turn: Turn) -> bool:
    """Whether its turn has come."""
    await asyncio.sleep(0)
    coming = asyncio.ensure_future(turn.come())
    for _ in range(3):
        await asyncio.sleep(0)
    done = coming.done()
    coming.cancel()
    return done


def test_who_leaves_lets_those_behind_pass_but_not_before_those_ahead() -> None:
    async def run() -> None:
        first = Turn()
        second = Turn(first)
        third = Turn(second)
        assert [await came(turn) for turn in (first, second, third)] == [True, False, False]
        second.leave()
        assert [await came(turn) for turn in (second, third)] == [True, False]
        first.leave()
        assert await came(third)
        third.leave()
        assert await came(Turn(third))

    asyncio.run(run())


def test_who_stops_waiting_holds_nobody_up() -> None:
    async def run() -> None:
        first = Turn()
        second = Turn(first)
        waiting = asyncio.ensure_future(second.come())
        await asyncio.sleep(0)
        waiting.cancel()
        first.leave()
        second.leave()
        assert await came(Turn(second))

    asyncio.run(run())
