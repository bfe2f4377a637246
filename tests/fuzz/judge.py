"""Which ends of a call are right: results, and the errors that the API documents. All else is a fault."""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sardonyx.capi.onnxruntime_pybind11_state import STATUS, RuntimeException

_API_FILES = {"session.py", "calls.py", "feeds.py", "options.py", "ortvalue.py", "binding.py"}
"""Of ort/: they may raise ValueError, TypeError and RuntimeError, as those of onnxruntime do."""

_STATUS = tuple(cls for cls, _, _ in STATUS if cls is not RuntimeException)


_RANDOM = (b"Random", b"Bernoulli", b"Multinomial", b"Dropout", b"Sampling")


class Fault(Exception):  # noqa: N818
    """An end that no caller expects; `place` tells faults apart."""

    def __init__(self, place: str, text: str) -> None:
        super().__init__(text)
        self.place = place


def expected(error: Exception) -> str:
    """The name of the class of a documented error.

    Raises Fault for any other: one that escaped from inside, or that blames the engine itself.
    """
    name = type(error).__name__
    frames = traceback.extract_tb(error.__traceback__)
    if isinstance(error, _STATUS) and str(error).strip():
        return name
    last = Path(frames[-1].filename)
    plain = type(error) in (ValueError, TypeError, RuntimeError) and str(error).strip()
    if plain and last.parent.name == "ort" and last.name in _API_FILES:
        return name
    cause: BaseException = error
    while cause.__cause__ is not None:
        cause = cause.__cause__
    if isinstance(cause, MemoryError) or getattr(cause, "kind", "") == "memory":
        return f"{name} (memory)"
    inner = [f for f in traceback.extract_tb(cause.__traceback__) if "/sardonyx/" in f.filename] or frames
    place = f"{type(cause).__name__} in {Path(inner[-1].filename).name} {inner[-1].name} {inner[-1].lineno}"
    raise Fault(place, "".join(traceback.format_exception(error)))


def is_random(model: bytes) -> bool:
    """Whether two runs of a model may differ."""
    return any(name in model for name in _RANDOM)


def differ(first: Sequence[Any], second: Sequence[Any]) -> str:
    """How the results of two runs with the same feeds are apart; nothing if they have the same bits."""
    for number, (one, other) in enumerate(zip(first, second, strict=True)):
        if not isinstance(one, np.ndarray) or one.dtype.hasobject:
            continue
        if one.dtype != other.dtype or one.shape != other.shape:
            return f"output {number} {one.dtype}{one.shape} and {other.dtype}{other.shape}"
        if one.tobytes() != other.tobytes():
            return f"output {number}"
    return ""
