"""Categories that a model knows as numbers: where the cells of a column stand among them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from numbers import Real
from typing import Any


def places(cells: Iterable[Any], categories: Sequence[Any]) -> list[float]:
    """The place of each cell among the categories, from 0; NaN if it is none of them.

    Categories that are numbers are found by their value, so that `1`, `1.0` and `"1"` are the same. If none
    of them is, a number is itself a place.
    """
    texts = {str(value): at for at, value in enumerate(categories)}
    numbers = {number: at for text, at in texts.items() if (number := _number(text)) is not None}
    return [_place(cell, texts, numbers) for cell in cells]


def _place(cell: Any, texts: dict[str, int], numbers: dict[float, int]) -> float:
    if cell is None or (isinstance(cell, Real) and math.isnan(cell)):
        return math.nan
    if str(cell) in texts:
        return texts[str(cell)]
    number = _number(cell)
    if number is None:
        return math.nan
    return numbers.get(number, math.nan) if numbers else number


def _number(cell: Any) -> float | None:
    try:
        number = float(cell)
    except (TypeError, ValueError):
        return None
    return None if math.isnan(number) else number
