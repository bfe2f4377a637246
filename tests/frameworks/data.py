"""The data sets of the framework tests: those that ship inside scikit-learn, split into train and test rows.

Numbers are exact in float32, so a framework and a converted model see the same ones.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse
from sklearn import datasets
from sklearn.model_selection import train_test_split

Array = np.ndarray[Any, Any]
TEST_ROWS = 48


@dataclass(frozen=True)
class Table:
    """Rows to learn from and rows to predict, as the framework takes them, and the model's inputs.

    `columns` names each input of the model with its first and last column. `gap` is what a sparse matrix
    leaves out.
    """

    train: Any
    goal: Any
    test: Any
    columns: Mapping[str, tuple[int, int]]
    gap: float = 0.0

    def feeds(self, rows: Any, numbers: type[np.generic]) -> dict[str, Array]:
        """The inputs of a model for rows of `test`; numbers in the given type, or as text."""
        if sparse.issparse(rows):
            stored = sparse.csr_matrix((np.ones(rows.nnz), rows.indices, rows.indptr), rows.shape)
            rows = np.where(stored.toarray() > 0, rows.toarray(), self.gap)
        feeds = {}
        for name, (first, last) in self.columns.items():
            part = rows[:, first:last]
            is_text = part.dtype == object and isinstance(part[0, 0], str)
            feeds[name] = part if is_text else part.astype(numbers)
        return feeds


def _table(x: Any, y: Any, columns: Mapping[str, tuple[int, int]] | None = None) -> Table:
    train, test, goal, _ = train_test_split(x, y, test_size=TEST_ROWS, random_state=0)
    return Table(train, goal, test, columns or {"x": (0, x.shape[1])})


def _single(x: Array) -> Array:
    """Rounded to what float32 holds."""
    return x.astype(np.float32).astype(np.float64)


def _bundled(name: str) -> tuple[Array, Array]:
    x, y = getattr(datasets, f"load_{name}")(return_X_y=True)
    return _single(x), y


def _plain(name: str) -> Table:
    return _table(*_bundled(name))


def _scaled(name: str) -> Table:
    """Each feature with mean 0 and deviation 1, as most models want it."""
    x, y = _bundled(name)
    return _table(_single((x - x.mean(0)) / x.std(0)), y)


def _named() -> Table:
    """Iris with names for classes."""
    x, y = _bundled("iris")
    return _table(x, datasets.load_iris().target_names[y].astype(object))


def _digits() -> Table:
    x, y = _bundled("digits")
    return _table(x[:600], y[:600])


def _sparse_digits(gap: float) -> Table:
    """Digits as sparse matrices."""
    full = _digits()
    parts = (sparse.csr_matrix(part) for part in (full.train, full.test))
    return dataclasses.replace(full, **dict(zip(("train", "test"), parts, strict=True)), gap=gap)


def _strokes() -> Table:
    """Digits as black and white."""
    x, y = _bundled("digits")
    return _table((x[:600] > 8).astype(np.float64), y[:600])


def _grades() -> Table:
    """A few whole numbers for each feature of wine."""
    x, y = _bundled("wine")
    return _table(np.floor(4 * (x - x.min(0)) / (np.ptp(x, 0) + 1)), y)


def _holes(features: int) -> Table:
    """The first features of wine, a tenth of the numbers missing."""
    x, y = _bundled("wine")
    x = x[:, :features]
    x[np.random.default_rng(0).random(x.shape) < 0.1] = np.nan
    return _table(x, y)


def _two_goals() -> Table:
    """Diabetes with its last feature to be predicted as well."""
    x, y = _bundled("diabetes")
    return _table(x[:, :-1], np.stack([y, 100 * x[:, -1]], 1))


def _two_labels() -> Table:
    """Iris with two labels for each row."""
    x, y = _bundled("iris")
    return _table(x, np.stack([y, np.digitize(x[:, 0], [5.5, 6.2])], 1))


def _counts() -> Table:
    """Wine whose class is a count to be predicted by regression."""
    x, y = _bundled("wine")
    return _table(x, y.astype(np.float64) + 1)


def _words() -> Table:
    """Three features of wine as words."""
    x, y = _bundled("wine")
    return _table(_worded(x[:, :3]), y, {"words": (0, 3)})


def _rated_words() -> Table:
    """The same words, to predict a number of."""
    x, _ = _bundled("wine")
    return _table(_worded(x[:, :3]), x[:, 9], {"words": (0, 3)})


def _mixed() -> Table:
    """Wine with ten features as numbers and three as words."""
    x, y = _bundled("wine")
    rows = np.concatenate([x[:, 3:].astype(object), _worded(x[:, :3])], 1)
    return _table(rows, y, {"numbers": (0, 10), "words": (10, 13)})


def _worded(x: Array) -> Array:
    words = np.array(["low", "middle", "high", "très haut"], dtype=object)
    steps = np.quantile(x, [0.3, 0.6, 0.9], axis=0)
    return words[(x[:, None] > steps).sum(1)]


def _sentences() -> Table:
    """Sentences of the descriptions of the data sets, in lower case, and which one they describe."""
    texts: list[str] = []
    origin: list[int] = []
    for number, name in enumerate(("iris", "wine", "breast_cancer", "diabetes", "digits")):
        told = getattr(datasets, f"load_{name}")().DESCR.replace("\n", " ").split(". ")
        told = [" ".join(text.split()) for text in told]
        kept = [text for text in told if 20 < len(text) < 300 and text.isascii()]
        texts += [text.lower() for text in kept]
        origin += [number] * len(kept)
    return _table(np.array(texts, dtype=object)[:, None], np.array(origin), {"text": (0, 1)})


TABLES: Mapping[str, Callable[[], Table]] = {
    **{name: functools.partial(_plain, name) for name in ("iris", "wine", "diabetes")},
    **{f"scaled {name}": functools.partial(_scaled, name) for name in ("breast_cancer", "iris", "wine")},
    "counts": _counts,
    "digits": _digits,
    "grades": _grades,
    "few holes": functools.partial(_holes, 4),
    "holes": functools.partial(_holes, 13),
    "mixed": _mixed,
    "named": _named,
    "rated words": _rated_words,
    "sentences": _sentences,
    "sparse digits": functools.partial(_sparse_digits, 0.0),
    "sparse digits with gaps": functools.partial(_sparse_digits, np.nan),
    "strokes": _strokes,
    "two_goals": _two_goals,
    "two_labels": _two_labels,
    "words": _words,
}


@functools.cache
def table(name: str) -> Table:
    """A data set by its name; see the functions above."""
    return TABLES[name]()
