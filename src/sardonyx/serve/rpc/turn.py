"""Places in a queue of those that may each leave it at any time.

Decides when all who came before are gone. Must not know what they wait for.
"""

from __future__ import annotations

import asyncio


class Turn:
    """A place behind another's; of the running loop. Who is first has no other before it."""

    def __init__(self, before: Turn | None = None) -> None:
        self._passed = asyncio.get_running_loop().create_future()
        self._left = False
        self._before = before._passed if before is not None and not before._passed.done() else None
        if self._before is not None:
            self._before.add_done_callback(self._settle)

    async def come(self) -> None:
        """Wait until all before have left; at once for who has left himself."""
        if not self._left and self._before is not None:
            await asyncio.wait([self._before])

    def leave(self) -> None:
        """Nobody behind waits for this place any more, only for those before it."""
        self._left = True
        self._settle()

    def _settle(self, _: object = None) -> None:
        if self._left and not self._passed.done() and (self._before is None or self._before.done()):
            self._passed.set_result(None)
