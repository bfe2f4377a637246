"""One case of a fuzz run, made from its seed and number alone. Knows no engine."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from random import Random
from typing import Any

import onnx

from tests.fuzz.mutate_bytes import damage
from tests.fuzz.mutate_graph import CHANGES, Change
from tests.fuzz.mutate_proto import spoil
from tests.fuzz.mutate_whole import FORMS, external
from tests.fuzz.seeds import Seed, seeds, text_seeds
from tests.fuzz.trips import bound

_OF_OUR_OWN = 0.3
"""The share of cases that start from a model of this folder."""


@dataclass(frozen=True)
class Case:
    """A mutated model.

    Attributes:
        name: of the seed, with the changes made to it.
        model: its bytes.
        feeds: those of the seed, which may not fit any more.
        files: what lies beside the model; without any it is given as bytes.
        chance: for what follows; the same each time.
    """

    name: str
    model: bytes
    feeds: Mapping[str, Any]
    files: Mapping[str, bytes]
    chance: Random

    @property
    def digest(self) -> str:
        """The same for the same model."""
        return hashlib.sha1(self.model).hexdigest()


def make(seed: int, number: int) -> Case:
    """Case `number` of the run `seed`."""
    chance = Random(f"{seed}:{number}")
    start, other = _seed(chance), _seed(chance)
    kind = chance.random()
    if kind < 0.08:
        data, feeds = damage(start.model, other.model, chance), dict(start.feeds)
        return Case(f"{start.name} damage", data, feeds, start.files, chance)
    model, guest = (onnx.ModelProto.FromString(s.model) for s in (start, other))
    names, files, feeds = [start.name], dict(start.files), {**_prefixed(other), **start.feeds}
    changes: list[Change] = (
        [spoil] if kind < 0.3 else chance.choices(CHANGES, k=chance.choice((1, 1, 1, 2, 2, 3)))
    )
    if chance.random() < 0.12:
        changes.append(chance.choice(FORMS))
    for change in changes:
        with suppress(ValueError, TypeError, OverflowError):  # of what an earlier change made senseless
            change(model, guest, chance)
        names.append(change.__name__)
    with suppress(ValueError, TypeError):
        bound(model)
    if any(change is external for change in changes):
        files = {"weights.bin": chance.randbytes(chance.choice((0, 16, 256, 4096))), **files}
    return Case(" ".join(names), model.SerializeToString(), feeds, files, chance)


def _seed(chance: Random) -> Seed:
    return chance.choice(text_seeds() if chance.random() < _OF_OUR_OWN else seeds())


def _prefixed(seed: Seed) -> dict[str, Any]:
    """Feeds as `mutate_graph.joined` names them."""
    return {f"o_{name}": value for name, value in seed.feeds.items()}
