"""Fields of a form as texts and numbers. Must not know what a form is about."""

from __future__ import annotations

import math

from starlette.datastructures import FormData

from sardonyx.protocol.errors import invalid


def text(form: FormData, name: str) -> str:
    """A field without blanks around it; "" if there is none, or a file."""
    value = form.get(name, "")
    return value.strip() if isinstance(value, str) else ""


def number(given: str, what: str) -> float:
    """A finite number. Raises ServeError INVALID_ARGUMENT, which names `what`, for other text."""
    try:
        found = float(given)
    except ValueError:
        found = math.nan
    if not math.isfinite(found):
        raise invalid(f"{what}: {given!r} is not a number")
    return found
