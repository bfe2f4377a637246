"""Writes the synchronous client from the asynchronous one: `python -m sardonyx.tools.unasync`.

Decides which words change; must not know what the client does.
"""

from __future__ import annotations

import re
from pathlib import Path

CLIENT = Path(__file__).parents[1] / "client"
SOURCE, TARGET = CLIENT / "asynchronous.py", CLIENT / "synchronous.py"

_DOCSTRING = '"""The synchronous client, which sardonyx.tools.unasync writes from asynchronous.py."""\n'
_WORDS = (
    (r"\bAsyncClient\b", "Client"),
    (r"\bhttpx\.AsyncBaseTransport\b", "httpx.BaseTransport"),
    (r"\basync (def|with|for)\b", r"\1"),
    (r"\bawait ", ""),
    (r"\b__aenter__\b", "__enter__"),
    (r"\b__aexit__\b", "__exit__"),
    (r"\baclose\b", "close"),
    (r"\baread\b", "read"),
    (r"\baiter_bytes\b", "iter_bytes"),
    (r"\basyncio\.sleep\b", "time.sleep"),
    (r"^import asyncio\nimport os\n", "import os\nimport time\n"),
)


def synchronous(text: str) -> str:
    """The source of the synchronous client."""
    text = re.sub(r'\A""".*?"""\n', _DOCSTRING, text, flags=re.DOTALL)
    for word, replacement in _WORDS:
        text = re.sub(word, replacement, text, flags=re.MULTILINE)
    return text


if __name__ == "__main__":
    TARGET.write_text(synchronous(SOURCE.read_text(encoding="utf-8")), encoding="utf-8")
