"""Writes the synchronous client from the asynchronous one: `python -m sardonyx.tools.unasync`.

Decides which words change; must not know what the client does.
"""

from __future__ import annotations

import re
from pathlib import Path

CLIENT = Path(__file__).parents[1] / "client"
FILES = {
    CLIENT / "asynchronous.py": CLIENT / "synchronous.py",
    CLIENT / "monitors_asynchronous.py": CLIENT / "monitors_synchronous.py",
}

_DOCSTRING = (
    '"""A part of the synchronous client, written by sardonyx.tools.unasync from the asynchronous one."""\n'
)
_WORDS = (
    (r"\bAsyncClient\b", "Client"),
    (r"\bAsyncMonitoring\b", "Monitoring"),
    (r"\bmonitors_asynchronous\b", "monitors_synchronous"),
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
    """The source of the same part of the synchronous client."""
    text = re.sub(r'\A""".*?"""\n', _DOCSTRING, text, flags=re.DOTALL)
    for word, replacement in _WORDS:
        text = re.sub(word, replacement, text, flags=re.MULTILINE)
    return text


if __name__ == "__main__":
    for source, target in FILES.items():
        target.write_text(synchronous(source.read_text(encoding="utf-8")), encoding="utf-8")
