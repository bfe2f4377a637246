"""Realistic feeds for the models of the zoo: feeds(name, **sizes) -> {input: array}.

Joins the four families; every array is the same on every run and machine. Shapes, layouts and value ranges
are those of the models' own pre-processing, without being bit-exact copies of it.
"""

from __future__ import annotations

from typing import Any

from sardonyx.zoo import audio, tables, text, vision
from sardonyx.zoo.maker import Feeds, Maker, Sizes

MAKERS: dict[str, Maker] = {**vision.MAKERS, **text.MAKERS, **audio.MAKERS, **tables.MAKERS}


def feeds(name: str, **sizes: Any) -> Feeds:
    """Feeds for a fetched model; without `sizes`, those of the first row of `sizes(name)`.

    Raises:
        KeyError: the zoo has no such model.
        FileNotFoundError: an asset is missing; call `fetch` first.
    """
    maker = MAKERS[name]
    return maker.make(**(sizes or maker.sizes[0]))


def sizes(name: str) -> tuple[Sizes, ...]:
    """The size settings worth trying with a model: other batches, lengths and picture sizes."""
    return MAKERS[name].sizes
