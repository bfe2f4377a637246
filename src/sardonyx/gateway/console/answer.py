"""An answer as a person would read it: labels with bars, boxes, pictures, texts, tables.

Decides what an output is from its shape, its numbers and the labels of its model. Must not know pages.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from sardonyx.gateway.console.boxes import Box, boxes_of
from sardonyx.gateway.console.pictures import picture_of, regions_of
from sardonyx.protocol.messages import Tensor

Array = npt.NDArray[Any]

TOP = 5
_ROWS, _COLUMNS = 20, 12
_FEW_CLASSES = 64
_KNOWN_CLASSES = (1000, 1001, 21_841)
_LEAST_SIDE = 8
_MOST_REGIONS = 32


@dataclass(frozen=True, slots=True)
class Card:
    """One thing to show: `kind` names the piece of the template, `facts` is what it shows."""

    kind: str
    title: str
    facts: dict[str, Any]
    note: str = ""


def read(
    outputs: Sequence[Tensor], labels_of: Callable[[str], list[str]], picture: tuple[int, int] | None = None
) -> list[Card]:
    """The cards of an answer, the telling ones first; `picture` is the width and height of what was asked."""
    arrays = {t.name: t.data.reshape(t.shape) for t in outputs}
    if picture is not None:
        found = boxes_of(arrays, *picture)
        if found is not None:
            labels = next((labels for name in arrays if (labels := labels_of(name))), [])
            return [_boxes(found, labels), *(_summary(name, array) for name, array in arrays.items())]
    cards = [_card(name, array, labels_of(name)) for name, array in arrays.items()]
    first = {c.facts["rows"][0]["label"] for c in cards if c.kind == "ranking"}
    return [card for card in cards if card.kind != "single" or card.facts["value"] not in first]


def _card(name: str, array: Array, labels: list[str]) -> Card:
    if array.dtype.kind == "O":
        return Card("texts", name, {"texts": [_text(item) for item in array.reshape(-1)[:_ROWS]]})
    if array.size == 0 or array.dtype.kind not in "fiub":
        return _summary(name, array)
    squeezed = array.reshape([size for size in array.shape if size != 1] or [1])
    if array.dtype.kind == "f":
        if _is_ranking(array, labels):
            return _ranking(name, array.reshape(-1).astype(np.float64), labels)
        if (seen := _picture(name, array, labels)) is not None:
            return seen
    if squeezed.size == 1:
        return _single(name, squeezed.reshape(-1)[0], labels)
    if squeezed.ndim <= 2 and squeezed.shape[-1] <= _COLUMNS and squeezed.shape[0] <= 1000:
        return _table(name, squeezed, labels if array.dtype.kind == "f" else [])
    return _summary(name, array)


def _is_ranking(array: Array, labels: list[str]) -> bool:
    """Whether there is one row of scores of classes."""
    width = array.size
    if width < 2 or max(array.shape) != width:
        return False
    if labels:
        return len(labels) == width
    return width <= _FEW_CLASSES or width in _KNOWN_CLASSES or _are_shares(array.reshape(-1))


def _ranking(name: str, values: Array, labels: list[str]) -> Card:
    shares, note = _shares(values)
    order = np.argsort(-shares, kind="stable")[:TOP]
    rows = [
        {"label": labels[i] if i < len(labels) else f"class {i}", "share": float(shares[i])}
        for i in order.tolist()
    ]
    return Card("ranking", name, {"rows": rows, "classes": len(values)}, note)


def _shares(values: Array) -> tuple[Array, str]:
    """Scores as shares of 1, and what was done to them."""
    clean = np.nan_to_num(values, nan=0.0, posinf=1e30, neginf=-1e30)
    if _are_shares(clean) or ((clean >= 0) & (clean <= 1)).all():
        return clean, ""
    if (clean <= 1e-6).all() and abs(np.exp(clean).sum() - 1) < 0.02:
        return np.exp(clean), "The model gives logarithms of these."
    raised = np.exp(clean - clean.max())
    return raised / raised.sum(), "The model gives scores; shown is their softmax."


def _are_shares(values: Array) -> bool:
    return bool((values >= -1e-6).all() and abs(float(values.sum()) - 1) < 0.02)


def _picture(name: str, array: Array, labels: list[str]) -> Card | None:
    """A card for [1, C, H, W], [1, H, W, C] or [H, W]: a picture, or a map of classes."""
    shape = array.shape
    if array.ndim == 4 and shape[0] == 1:
        if shape[1] in (1, 3) and min(shape[2:]) >= _LEAST_SIDE:
            return _seen(name, array[0].transpose(1, 2, 0))
        if shape[3] in (1, 3) and min(shape[1:3]) >= _LEAST_SIDE:
            return _seen(name, array[0])
        if 1 < len(labels) == shape[1] or (4 < shape[1] <= _MOST_REGIONS and min(shape[2:]) >= _LEAST_SIDE):
            url, classes = regions_of(array[0].argmax(0))
            names = [labels[c] if c < len(labels) else f"class {c}" for c in classes]
            return Card(
                "picture", name, {"url": url, "width": shape[3], "height": shape[2]}, ", ".join(names)
            )
    if array.ndim in (2, 3) and min(shape[-2:]) >= 4 * _LEAST_SIDE and math.prod(shape[:-2]) == 1:
        return _seen(name, array.reshape(shape[-2:]))
    return None


def _seen(name: str, pixels: Array) -> Card:
    facts = {"url": picture_of(pixels), "width": pixels.shape[1], "height": pixels.shape[0]}
    return Card("picture", name, facts, f"{pixels.shape[1]} × {pixels.shape[0]} pixels")


def _single(name: str, value: Any, labels: list[str]) -> Card:
    number = value.item()
    if isinstance(number, int) and not isinstance(number, bool) and 0 <= number < len(labels):
        return Card("single", name, {"value": labels[number]}, f"class {number}")
    return Card("single", name, {"value": _number(number)})


def _table(name: str, array: Array, labels: list[str]) -> Card:
    table = array if array.ndim == 2 else array.reshape(-1, 1)
    width = table.shape[1]
    head = labels if len(labels) == width else [str(i) for i in range(width)] if width > 1 else ["value"]
    rows = [[_number(v) for v in row] for row in table[:_ROWS].tolist()]
    return Card("table", name, {"head": head, "rows": rows, "more": max(0, len(table) - _ROWS)})


def _summary(name: str, array: Array) -> Card:
    facts: dict[str, Any] = {"Shape": " × ".join(map(str, array.shape)) or "scalar", "Type": str(array.dtype)}
    if array.size and array.dtype.kind in "fiub":
        numbers = array.astype(np.float64)
        finite = numbers[np.isfinite(numbers)]
        if finite.size:
            facts |= {
                "Least": _number(float(finite.min())),
                "Mean": _number(float(finite.mean())),
                "Greatest": _number(float(finite.max())),
            }
        if odd := numbers.size - finite.size:
            facts["No finite numbers"] = str(odd)
        first = ", ".join(_number(v) for v in array.reshape(-1)[:_COLUMNS].tolist())
        facts["First"] = first + (", …" if array.size > _COLUMNS else "")
    return Card("summary", name, {"facts": facts})


def _boxes(found: list[Box], labels: list[str]) -> Card:
    named = [
        {
            "box": box,
            "label": labels[box.kind] if box.kind < len(labels) else f"class {box.kind}",
            "key": box.kind % 5 + 1,
        }
        for box in found
    ]
    return Card("boxes", f"{len(found)} found" if found else "Nothing found", {"boxes": named})


def _number(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _text(item: Any) -> str:
    return item.decode("utf-8", "replace") if isinstance(item, bytes) else str(item)
