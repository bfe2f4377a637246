"""How converters of ours, or changed ones, stand in for those of skl2onnx for a while."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Writer:
    """How estimators of a kind are written: outputs, types of these, nodes, and options."""

    shapes: Callable[[Any], None]
    convert: Callable[[Any, Any, Any], None]
    options: Mapping[str, Any] | None = None
    parser: Callable[..., Any] | None = None


@contextlib.contextmanager
def written(writers: Mapping[type, Writer]) -> Iterator[None]:
    """While this lasts, skl2onnx converts these kinds so."""
    from skl2onnx import _parse, update_registered_converter
    from skl2onnx import _supported_operators as known

    changed: tuple[dict[Any, Any], ...] = (known.sklearn_operator_name_map, _parse.sklearn_parsers_map)
    before = [dict(rows) for rows in changed]
    for kind, writer in writers.items():
        update_registered_converter(
            kind,
            f"Sardonyx{kind.__name__}",
            writer.shapes,
            writer.convert,
            overwrite=True,
            options=writer.options,
            parser=writer.parser,
        )
    try:
        yield
    finally:
        for rows, olds in zip(changed, before, strict=True):
            rows.clear()
            rows.update(olds)


def original(kind: type) -> Writer:
    """How skl2onnx itself converts a kind."""
    from skl2onnx import _supported_operators as known
    from skl2onnx.common._registration import get_converter, get_shape_calculator

    name = known.sklearn_operator_name_map[kind]
    convert = get_converter(name)
    return Writer(get_shape_calculator(name), convert, convert.get_allowed_options())


def replaced(
    kinds: tuple[type, ...], changed: Callable[[Any], Any]
) -> contextlib.AbstractContextManager[None]:
    """While this lasts, skl2onnx converts these kinds by what `changed` makes of its converter."""
    rows = {kind: original(kind) for kind in kinds}
    return written(
        {kind: Writer(row.shapes, changed(row.convert), row.options) for kind, row in rows.items()}
    )
