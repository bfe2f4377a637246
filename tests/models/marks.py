"""Which tests of real models are slow, and which take so much memory that nothing runs beside them."""

from __future__ import annotations

import pytest

from sardonyx import zoo

LARGE = {"isnet_fp16", "isnet_uint8"}
"""1024x1024 pixels, of which judges keep all that lies between the choices of points: 8 GB."""
HIDING = {"light_inception_v1", "light_resnet50"}
"""Large networks whose constant weights hide faults: `make test` runs them with random ones."""


def is_quick(name: str) -> bool:
    """Whether `make test` runs a model with its own weights."""
    return name not in HIDING and any(name == model.name for model in zoo.models(quick=True))


def marks(name: str, *, quick: bool) -> list[pytest.MarkDecorator]:
    """The marks of a test of one model."""
    if name in LARGE:
        return [pytest.mark.slow, pytest.mark.alone]
    return [] if quick else [pytest.mark.slow]
