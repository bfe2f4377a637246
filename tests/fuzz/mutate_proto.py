"""Damage to the fields of a parsed model, without regard to what they mean; the result always parses."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from random import Random
from typing import Any

from google.protobuf.message import Message

from tests.fuzz import numbers

_QUIET = {"doc_string", "producer_name", "producer_version", "metadata_props", "model_version"}
_DEEPEST = 12


def spoil(model: Message, other: Message, chance: Random) -> None:
    """Drop, repeat, swap, change or borrow something in one field of one message of `model`."""
    places = list(_fields(model, 0))
    message, name, value = chance.choice(places)
    if isinstance(value, Message):
        _spoil_message(message, name, value, other, chance)
    elif hasattr(value, "extend"):
        _spoil_list(value, other, chance)
    else:
        with suppress(ValueError):  # too large for a field of 32 bits
            setattr(message, name, _changed(value, model, chance))


def _fields(message: Message, depth: int) -> Iterator[tuple[Message, str, Any]]:
    """Every field that is set: its message, name and value."""
    for field, value in message.ListFields():
        if field.name in _QUIET:
            continue
        yield message, field.name, value
        if depth == _DEEPEST:
            continue
        if isinstance(value, Message):
            yield from _fields(value, depth + 1)
        elif hasattr(value, "add"):
            for item in value:
                yield from _fields(item, depth + 1)


def _spoil_message(message: Message, name: str, value: Message, other: Message, chance: Random) -> None:
    similar = [found for _, _, found in _fields(other, 0) if type(found) is type(value)]
    if similar and chance.random() < 0.5:
        value.CopyFrom(chance.choice(similar))
    else:
        message.ClearField(name)


def _spoil_list(values: Any, other: Message, chance: Random) -> None:
    """An item less, one twice, two swapped, or one from elsewhere."""
    if not len(values):
        return
    at = chance.randrange(len(values))
    match chance.randrange(5):
        case 0:
            del values[at]
        case 1:
            _insert(values, values[at], chance)
        case 2:
            to = chance.randrange(len(values))
            items = [_copy(item) for item in values]
            items[at], items[to] = items[to], items[at]
            del values[:]
            values.extend(items)
        case 3 if hasattr(values, "add"):
            found = [item for _, _, v in _fields(other, 0) if hasattr(v, "add") for item in v]
            similar = [item for item in found if type(item) is type(values[at])]
            if similar:
                _insert(values, chance.choice(similar), chance)
        case _ if not hasattr(values, "add"):
            with suppress(ValueError):
                values[at] = _changed(values[at], other, chance)
        case _:
            del values[at:]


def _insert(values: Any, item: Any, chance: Random) -> None:
    items = [_copy(old) for old in values]
    items.insert(chance.randrange(len(items) + 1), _copy(item))
    del values[:]
    values.extend(items)


def _copy(item: Any) -> Any:
    if not isinstance(item, Message):
        return item
    copy = type(item)()
    copy.CopyFrom(item)
    return copy


def _changed(value: Any, model: Message, chance: Random) -> Any:
    """Another value of the same type; texts become one of the model's own texts as a rule."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return numbers.integer(chance, value)
    if isinstance(value, float):
        return numbers.real(chance, value)
    if isinstance(value, bytes):
        at = chance.randrange(len(value) + 1)
        choices = (
            value[:at],
            value + b"\0",
            value[:at] + chance.randbytes(1) + value[at + 1 :],
            value[at:] * 2,
        )
        return chance.choice(choices)
    texts = [v for _, _, v in _fields(model, 0) if isinstance(v, str)]
    return chance.choice([*texts, "", value + "_", value[:-1]])
