"""Converters of skl2onnx that make something else of an estimator for a while."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any


@contextlib.contextmanager
def replaced(kinds: tuple[type, ...], changed: Callable[[Any], Any]) -> Iterator[None]:
    """While this lasts, skl2onnx converts these kinds by what `changed` makes of its converter."""
    from skl2onnx import _supported_operators as known
    from skl2onnx import update_registered_converter
    from skl2onnx.common._registration import get_converter, get_shape_calculator

    names = known.sklearn_operator_name_map
    before = {kind: names[kind] for kind in kinds}
    for kind, name in before.items():
        original = get_converter(name)
        update_registered_converter(
            kind,
            f"Sardonyx{kind.__name__}",
            get_shape_calculator(name),
            changed(original),
            overwrite=True,
            options=original.get_allowed_options(),
        )
    try:
        yield
    finally:
        names.update(before)
