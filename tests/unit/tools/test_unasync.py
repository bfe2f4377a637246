"""The synchronous client is the asynchronous one without waiting."""

from __future__ import annotations

from sardonyx.tools.unasync import FILES, synchronous

TEXT = '''"""Asynchronous words."""

import asyncio
import os


class AsyncClient:
    async def __aenter__(self) -> "AsyncClient":
        async with self._http.stream() as answer:
            async for part in answer.aiter_bytes():
                await asyncio.sleep(1)
        return await self.aclose()
'''


def test_words_change() -> None:
    text = synchronous(TEXT)
    assert "async" not in text.partition('"""\n')[2].replace("asynchronous", "")
    assert "await" not in text
    for expected in (
        "class Client",
        "def __enter__",
        "time.sleep(1)",
        "iter_bytes()",
        "self.close()",
        "import time\n",
    ):
        assert expected in text
    assert text.startswith('"""A part of the synchronous client')


def test_what_is_written_is_current() -> None:
    for source, target in FILES.items():
        compile(synchronous(source.read_text(encoding="utf-8")), str(target), "exec")
