"""What a framework has to give so that its models can be converted, and what a conversion yields.

These files run inside the framework's own environment, which may hold neither the engine nor a recent numpy:
standard library and numpy alone are imported here, the framework inside functions.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Protocol, cast

import numpy as np

from sardonyx.convert.words import FORCE
from sardonyx.errors import SardonyxError

Array = np.ndarray[Any, Any]
Feeds = dict[str, Array]

ROWS = 64
SEED = 0


class ConvertError(SardonyxError):
    """A source cannot be converted; the message says what, where and what to do."""


class RowsError(ConvertError):
    """The framework's own model fails on the rows that it is compared on."""


class PickleWarning(UserWarning):
    """A file is opened that runs code which it holds."""


class ParityError(ConvertError):
    """A model was converted, and predicts differently than its framework; `wrong` says how."""

    def __init__(self, wrong: str) -> None:
        super().__init__(f"{wrong}. Nothing was written; with {FORCE} you get it all the same")
        self.wrong = wrong


@dataclass(frozen=True)
class Request:
    """What the user wants of a conversion.

    Attributes:
        sample: inputs by name; "" is the only one, or all columns of a table.
        dynamic: names of free axes: the first is axis 0 of every input, the second axis 1; `_` is none.
        opset: that of ai.onnx to write, or the newest that the converter writes well if None.
        double: whether tables are read in double precision.
        options: what only some frameworks take, such as the shape of an input.
    """

    sample: Mapping[str, Array] | None = None
    dynamic: tuple[str, ...] = ()
    opset: int | None = None
    double: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Case:
    """Inputs by name as the ONNX model takes them, and what the framework answers, output by output."""

    feeds: Feeds
    answers: list[Array]


@dataclass(frozen=True)
class Exported:
    """What a framework gave: an ONNX file, its own answers, and what the file does not say.

    Attributes:
        path: the raw ONNX file.
        cases: the framework's answers to the sample or to drawn inputs.
        drawn: whether the inputs were drawn for want of a sample.
        outputs: better names of the first outputs.
        labels: names of classes.
        columns: names of the columns of a matrix input.
        categories: of columns that are numbers of texts: the texts, in the order of the numbers.
        points: how far integers may be apart that a quantised network rounds.
        batch: the axis 0 of inputs and outputs is a free number of rows.
        axes: names of the free axes of inputs, by name and axis.
        versions: of the packages that took part.
        notes: what the user should know.
        sources: the files that the source consists of, if they are not the one file or folder that was named.
    """

    path: Path
    cases: list[Case]
    drawn: bool
    outputs: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    categories: Mapping[str, list[str]] = field(default_factory=dict)
    points: int = 0
    batch: bool = True
    axes: Mapping[str, Mapping[int, str]] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()


class Converter(Protocol):
    """The functions of a file in `frameworks/`."""

    def load(self, source: str, request: Request) -> Any:
        """The model of a file, folder or name."""

    def export(self, model: Any, request: Request, path: Path) -> Exported:
        """Write the ONNX file and ask the framework for its answers."""


@dataclass(frozen=True)
class Framework:
    """A kind of source.

    Attributes:
        kind: the word of `--from`.
        title: what readers call it.
        module: the room and file in `frameworks/` that convert it.
        needs: modules to import; the first is the framework.
        lock: the name of its environment.
        packages: those whose versions are recorded.
        roots: top packages of the classes whose objects are of this kind.
        extra: what of this package installs all it needs, if anything does.
    """

    kind: str
    title: str
    module: str
    needs: tuple[str, ...]
    lock: str
    packages: tuple[str, ...]
    roots: tuple[str, ...] = ()
    extra: str = ""

    def is_importable(self) -> bool:
        """Whether this Python has all it needs."""
        return all(importlib.util.find_spec(name) is not None for name in self.needs)

    def converter(self) -> Converter:
        """Its functions; imports no framework."""
        module = importlib.import_module(f"sardonyx.convert.frameworks.{self.module}")
        return cast("Converter", module)

    def versions(self) -> dict[str, str]:
        """Of its packages, as far as they are installed."""
        found = {name: version(name) for name in (*self.packages, "onnx")}
        return {name: number for name, number in found.items() if number}


@cache
def version(package: str) -> str:
    """The installed version of a package; nothing if it is not there."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""


def dice() -> np.random.Generator:
    """The same random numbers in every conversion."""
    return np.random.default_rng(SEED)


def batches(feeds: Feeds) -> list[Feeds]:
    """The rows together, and the first one alone."""
    return [feeds, {name: array[:1] for name, array in feeds.items()}]


def shaped(answers: Sequence[Any]) -> list[Array]:
    """Answers as arrays without the wrappers of sparse matrices and data frames."""
    dense = [answer.toarray() if hasattr(answer, "toarray") else answer for answer in answers]
    return [np.asarray(answer) for answer in dense]
