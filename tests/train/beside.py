"""What training on tables reaches beside scikit-learn's defaults, on data sets that scikit-learn ships.

`python -m tests.train.beside` rewrites the figures of docs/guides/get_models.md.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sklearn import ensemble
from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine
from sklearn.metrics import log_loss

from sardonyx.train import Settings, train
from sardonyx.train.training import _split

PAGE = Path(__file__).parents[2] / "docs" / "guides" / "get_models.md"
MARKS = ("<!-- train:start -->\n", "<!-- train:end -->")
DATA_SETS: dict[str, Callable[..., Any]] = {
    "wine": load_wine,
    "breast cancer": load_breast_cancer,
    "diabetes": load_diabetes,
}
SEEDS = (0, 1, 2)
FAMILIES = ("HistGradientBoosting", "RandomForest")


@dataclass(frozen=True)
class Losses:
    """On the same held-out rows: log loss of classes, root mean square error of values; smaller is better.

    `peers` are in the order of FAMILIES.
    """

    ours: float
    peers: tuple[float, ...]
    measure: str
    rows: int


def losses(load: Callable[..., Any], seed: int) -> Losses:
    """Train on four fifths of a data set, ask about the rest."""
    frame = load(as_frame=True).frame
    settings = Settings("target", trials=6, budget=0, seed=seed)
    trained = train(frame, settings)
    assert trained.converted.parity.holds
    x, y = frame.drop(columns="target"), frame.target
    inside, outside, _ = _split(frame, y.to_numpy(), settings, bool(trained.classes))
    learnt, goal, held, truth = x.iloc[inside], y.iloc[inside], x.iloc[outside], y.iloc[outside]
    assert np.array_equal(trained.truth, truth), "both have the same rows"
    measure = "log loss" if trained.classes else "root mean square error"
    peers = []
    for family in FAMILIES:
        kind = "Classifier" if trained.classes else "Regressor"
        peer = getattr(ensemble, family + kind)(random_state=seed).fit(learnt, goal)
        if trained.classes:
            peers.append(float(log_loss(truth, peer.predict_proba(held))))
        else:
            peers.append(float(np.sqrt(((peer.predict(held) - truth) ** 2).mean())))
    ours = next(score.value for score in trained.scores if score.name == measure)
    return Losses(ours, tuple(peers), measure, len(frame))


def figures(found: dict[str, Sequence[Losses]]) -> str:
    """The table: means over the splits of each data set."""
    head = ("data set", "rows", "measure", "`sardonyx train`", *(f"`{family}`" for family in FAMILIES))
    lines = [f"| {' | '.join(head)} |", f"| --- | ---: | --- |{' ---: |' * (1 + len(FAMILIES))}"]
    for name, splits in found.items():
        means = np.mean([(split.ours, *split.peers) for split in splits], 0)
        cells = (name, str(splits[0].rows), splits[0].measure, *(f"{mean:.3g}" for mean in means))
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def with_figures(page: str, table: str) -> str:
    """The page with the table between its marks."""
    before, rest = page.split(MARKS[0])
    return before + MARKS[0] + table + MARKS[1] + rest.split(MARKS[1])[1]


if __name__ == "__main__":
    table = figures({name: [losses(load, seed) for seed in SEEDS] for name, load in DATA_SETS.items()})
    PAGE.write_text(with_figures(PAGE.read_text(encoding="utf-8"), table), encoding="utf-8")
