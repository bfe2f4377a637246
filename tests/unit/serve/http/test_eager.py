"""Work that never waits is done at once; other work goes on as a task, with its errors and its cancelling."""

from __future__ import annotations

import asyncio

import pytest

from sardonyx.serve.http.eager import start


def test_what_never_waits_is_done() -> None:
    async def work() -> int:
        return 7

    async def wrong() -> int:
        raise ValueError("at once")

    async def run() -> None:
        loop = asyncio.get_running_loop()
        assert start(work(), loop) == 7
        with pytest.raises(ValueError, match="at once"):
            start(wrong(), loop)

    asyncio.run(run())


@pytest.mark.parametrize("pauses", [1, 3])
def test_what_waits_goes_on(pauses: int) -> None:
    async def run() -> None:
        loop = asyncio.get_running_loop()
        gate, steps = asyncio.Event(), []

        async def work() -> str:
            steps.append("begun")
            for _ in range(pauses):
                await asyncio.sleep(0)
            await gate.wait()
            await asyncio.sleep(0.001)
            return "done"

        task = start(work(), loop)
        assert steps == ["begun"]
        assert isinstance(task, asyncio.Task)
        await asyncio.sleep(0.001)
        assert not task.done()
        gate.set()
        assert await task == "done"

    asyncio.run(run())


def test_errors_and_cancelling_reach_the_work() -> None:
    async def run() -> None:
        loop = asyncio.get_running_loop()
        seen = []

        async def failing() -> None:
            await asyncio.sleep(0)
            raise ValueError("later")

        async def waiting() -> None:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                seen.append("cancelled")
                raise

        task = start(failing(), loop)
        assert isinstance(task, asyncio.Task)
        with pytest.raises(ValueError, match="later"):
            await task
        task = start(waiting(), loop)
        assert isinstance(task, asyncio.Task)
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert seen == ["cancelled"]

    asyncio.run(run())
