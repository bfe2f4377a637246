"""Which tests of real models are slow, and which take so much memory that nothing runs beside them."""

from __future__ import annotations

import pytest

LARGE = {"isnet_fp16", "isnet_uint8"}
"""1024x1024 pixels, of which judges keep all that lies between the choices of points: 8 GB."""


def marks(name: str, *, quick: bool) -> list[pytest.MarkDecorator]:
    """The marks of a test of one model."""
    if name in LARGE:
        return [pytest.mark.slow, pytest.mark.alone]
    return [] if quick else [pytest.mark.slow]
