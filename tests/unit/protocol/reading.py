"""Reads documents a piece at a time to their end."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any


def read_out(reading: Generator[None, None, Any]) -> tuple[Any, int]:
    """The document, and how often others had their turn."""
    turns = 0
    while True:
        try:
            next(reading)
            turns += 1
        except StopIteration as done:
            return done.value, turns
