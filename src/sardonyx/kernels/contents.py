"""What the content of constants allows: looked at once, however many choices ask.

Must not know what is asked.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

import numpy as np

from sardonyx.ir.value import Value

Answer = TypeVar("Answer")
_answers: WeakKeyDictionary[Value, dict[Callable[..., Any], Any]] = WeakKeyDictionary()


def allows(value: Value, question: Callable[[np.ndarray[Any, Any]], Answer]) -> Answer:
    """The answer to a question about the content of a constant; it is kept by the question's identity."""
    assert value.data is not None
    answers = _answers.setdefault(value, {})
    if question not in answers:
        answers[question] = question(value.data)
    found: Answer = answers[question]
    return found
