"""A request may send as much as it is allowed and no more, however it is cut."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from sardonyx.gateway.bounded import bounded
from sardonyx.protocol.errors import Code, ServeError


async def read(parts: Sequence[bytes], limit: int) -> int:
    """How many bytes of a body come through."""
    messages = iter(
        [*({"type": "http.request", "body": part} for part in parts), {"type": "http.disconnect"}]
    )

    async def receive() -> dict[str, object]:
        return next(messages)

    checked, total = bounded(receive, limit, "form"), 0
    while (message := await checked())["type"] != "http.disconnect":
        total += len(message["body"])
    return total


@pytest.mark.parametrize("parts", [[b"x" * 10], [b"x"] * 10, [b"", b"x" * 10, b""]])
def test_as_much_as_is_allowed_comes_through(parts: list[bytes]) -> None:
    assert asyncio.run(read(parts, 10)) == 10


@pytest.mark.parametrize(("limit", "shown"), [(10, "10 bytes"), (1 << 20, "1 MiB")])
def test_what_is_larger_is_refused_by_its_name(limit: int, shown: str) -> None:
    with pytest.raises(ServeError, match=f"the form is larger than {shown}") as caught:
        asyncio.run(read([b"x" * limit, b"x"], limit))
    assert caught.value.code is Code.TOO_LARGE
