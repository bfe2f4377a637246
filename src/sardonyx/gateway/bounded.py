"""A limit on what a request may send. Must not know routes."""

from __future__ import annotations

from starlette.types import Message, Receive

from sardonyx.protocol.errors import Code, ServeError


def bounded(receive: Receive, limit: int, what: str) -> Receive:
    """`receive`, which raises TOO_LARGE of `what` is sent once more than `limit` bytes came."""
    received = 0

    async def checked() -> Message:
        nonlocal received
        message = await receive()
        received += len(message.get("body", b""))
        if received > limit:
            shown = f"{limit >> 20} MiB" if limit % (1 << 20) == 0 else f"{limit} bytes"
            raise ServeError(Code.TOO_LARGE, f"the {what} is larger than {shown}")
        return message

    return checked
