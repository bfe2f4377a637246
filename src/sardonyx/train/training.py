"""The whole way of a training: read, split, search, judge, convert, record.

Decides what is held out and which candidate wins; how columns are read and models made stands beside.
"""

from __future__ import annotations

import json
import time
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas
from sklearn.model_selection import GroupKFold, KFold, StratifiedKFold, TimeSeriesSplit, cross_val_score
from threadpoolctl import threadpool_limits

from sardonyx.base.cells import READ
from sardonyx.base.digits import LARGEST
from sardonyx.base.together import written
from sardonyx.convert import Converted, from_sklearn
from sardonyx.convert.framework import ParityError
from sardonyx.train import dates, scores, table
from sardonyx.train.days import moments
from sardonyx.train.families import FAMILIES, affordable, limited
from sardonyx.train.importance import importance
from sardonyx.train.leaks import suspicions
from sardonyx.train.scores import Score
from sardonyx.train.table import Column, TrainError

Array = np.ndarray[Any, Any]
HELD_OUT, FOLDS, MOST_CLASSES, LEAST_ROWS, LEAST_GROUPS = 0.2, 5, 20, 30, 3
SEARCHED_ROWS, BASELINE_ROWS = 20_000, 5_000


@dataclass(frozen=True)
class Settings:
    """What the user asks for.

    Attributes:
        budget: seconds of search; the candidate under way is finished.
        trials: candidates at most; with it alone (budget 0) a run repeats itself exactly.
        split: `random`, `group:COLUMN` (a group is on one side), or `time:COLUMN` (later rows are held out).
        kinds: kinds of columns by name, where the guess is wrong.
        ignored: columns that are left out.
        goal: `classes` or `values`, if the target does not tell.
    """

    target: str
    budget: float = 60.0
    trials: int = 24
    seed: int = 0
    split: str = "random"
    kinds: Mapping[str, str] = field(default_factory=dict)
    ignored: tuple[str, ...] = ()
    goal: str = ""


@dataclass(frozen=True)
class Candidate:
    """A family with settings, its cross-validated loss (smaller is better) and seconds of fitting."""

    family: str
    settings: dict[str, Any]
    loss: float
    spread: float
    seconds: float


@dataclass(frozen=True)
class Trained:
    """A trained model, all that was found on the way, and its ONNX form."""

    settings: Settings
    columns: list[Column]
    classes: list[Any]
    candidates: list[Candidate]
    scores: list[Score]
    baseline_scores: list[Score]
    importance: list[tuple[str, float, float]]
    warnings: list[str]
    truth: Array
    answers: Array
    converted: Converted
    sample: pandas.DataFrame
    rows: int
    model: Any

    def save(self, path: str | Path, others: Mapping[Path, str] | None = None) -> list[Path]:
        """Write the ONNX file, its record (.json), rows that monitors compare with (.csv), and other texts.

        All or nothing; WriteError if they do not fit.
        """
        target = Path(path)
        contents: dict[Path, bytes | str] = {
            target: self.converted.model.SerializeToString(),
            target.with_suffix(".train.json"): json.dumps(self.record(), indent=1, default=str) + "\n",
            target.with_suffix(".baseline.csv"): self.sample.to_csv(index=False),
            **(others or {}),
        }
        return written(contents)

    def record(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "settings": asdict(self.settings),
            "rows": self.rows,
            "columns": [asdict(column) for column in self.columns],
            "classes": [str(label) for label in self.classes],
            "candidates": [asdict(candidate) for candidate in self.candidates],
            "scores": [asdict(score) for score in self.scores],
            "without_learning": [asdict(score) for score in self.baseline_scores],
            "importance": [
                {"column": name, "loss": loss, "spread": spread} for name, loss, spread in self.importance
            ],
            "warnings": self.warnings,
            "parity": self.converted.parity.record(),
        }


def train(source: Any, settings: Settings, query: str | None = None, progress: Any = None) -> Trained:
    """Train on a data frame or a file. `progress` is called with a text at every candidate.

    Raises:
        TrainError: the table, the target or the settings cannot be trained with.
        ConvertError: the model that won cannot be converted.
    """
    settings = replace(settings, target=str(settings.target))
    frame = table.read(source, query)
    frame, goal, classes = _goal(frame, settings)
    described = table.described(frame.drop(columns=[settings.target]), settings.kinds, settings.ignored)
    described = [_without_groups(column, settings) for column in described]
    inputs, columns = table.prepared(frame, described)
    if not columns:
        raise TrainError("no column is left to learn from; see the kinds of columns, and say --type")
    learnt, held, groups = _split(frame, goal, settings, bool(classes))
    strange = np.setdiff1d(goal[held], goal[learnt]).tolist() if classes else []
    if strange:
        raise TrainError(
            f"--split {settings.split}: the class {strange[0]!r} stands in held-out rows alone, "
            "so that nothing can be learned of it; leave it out, or split at random"
        )
    with warnings.catch_warnings(), threadpool_limits(1):
        warnings.simplefilter("ignore")
        candidates, model = _searched(
            inputs.iloc[learnt], goal[learnt], columns, groups, settings, classes, progress
        )
        model = limited(model, len(learnt)).fit(inputs.iloc[learnt], goal[learnt])
        unseen = inputs.iloc[held]
        answers = model.predict_proba(unseen) if classes else model.predict(unseen)
        needed = importance(model, unseen, goal[held], settings.seed, bool(classes))
        doubts = suspicions(inputs, goal, columns, learnt, held, classes) + _untried(columns, len(learnt))
        converted = _proven(model, frame.iloc[held].head(1000), unseen.head(1000), described)
        rows = np.concatenate([held, learnt])[:BASELINE_ROWS]
        sample = table.with_dates(inputs.iloc[rows], frame.iloc[rows], described)
        sample = sample.assign(**{settings.target: model.predict(inputs.iloc[rows])}).reset_index(drop=True)
        read = json.dumps(table.reading(frame, described), ensure_ascii=False)
        converted.model.metadata_props.add(key=READ, value=read)
        sample = sample.assign(**_outputs(model, inputs.iloc[held], converted, len(sample)))
    found, plain = _judged(goal[learnt], goal[held], answers, classes, settings.seed)
    return Trained(
        settings,
        [*described],
        classes,
        candidates,
        found,
        plain,
        needed,
        doubts,
        goal[held],
        answers,
        converted,
        sample,
        len(frame),
        model,
    )


def _proven(
    model: Any, frame: pandas.DataFrame, inputs: pandas.DataFrame, described: list[Column]
) -> Converted:
    """The ONNX model; TrainError if it predicts differently, which no setting of a training overrules."""
    try:
        return _converted(model, frame, inputs, described)
    except ParityError as error:
        raise TrainError(
            f"{error.wrong}; nothing was written. Another --seed or --trials may choose another model; "
            "please report this"
        ) from error


def _converted(
    model: Any, frame: pandas.DataFrame, inputs: pandas.DataFrame, described: list[Column]
) -> Converted:
    """The ONNX model, compared on these rows; dates that are ISO texts are read inside it."""
    converted = from_sklearn(model, sample=inputs)
    parts = table.parts_of_dates(inputs, described)
    if not parts:
        return converted
    rows = table.with_dates(inputs, frame, described)
    feeds = {str(name): rows[[name]].to_numpy() for name in rows}
    answers = [model.predict(inputs)]
    if hasattr(model, "predict_proba"):
        answers.append(model.predict_proba(inputs))
    return dates.taking_texts(converted, parts, feeds, answers)


def _outputs(
    model: Any, unseen: pandas.DataFrame, converted: Converted, count: int
) -> dict[str, pandas.Series]:
    """What the ONNX model gives for rows that it has not learnt from, as columns of `count` rows.

    For the rows after these nothing is given: of rows that it knows, it is surer than of others.
    """
    answers = [model.predict(unseen)]
    if hasattr(model, "predict_proba"):
        answers.append(model.predict_proba(unseen))
    found = {}
    for output, answer in zip(converted.model.graph.output, answers, strict=True):
        columns = {"": answer} if answer.ndim == 1 else {f"[{at}]": row for at, row in enumerate(answer.T)}
        for place, values in columns.items():
            kept = pandas.Series(values[:count]).reindex(range(count))
            found[f"out.{output.name}{place}"] = kept
    return found


def _goal(frame: pandas.DataFrame, settings: Settings) -> tuple[pandas.DataFrame, Array, list[Any]]:
    """The rows that have a target, their targets, and the classes if it is one of a few."""
    if settings.target not in frame:
        raise TrainError(f"the table has no column {settings.target!r}; it has {', '.join(map(str, frame))}")
    frame = frame[~table.absent(frame[settings.target])].reset_index(drop=True)
    if len(frame) < LEAST_ROWS:
        raise TrainError(f"{len(frame)} rows have a target; {LEAST_ROWS} are the least to learn from")
    values = frame[settings.target]
    if values.dtype.kind in "mMc":
        raise TrainError(
            f"{settings.target!r} holds {values.dtype}; give numbers, as of hours since a moment, or classes"
        )
    numbers = pandas.to_numeric(values, errors="coerce")
    is_number = bool(numbers.notna().all()) and not pandas.api.types.is_bool_dtype(values)
    if table.are_codes(values):
        is_number = is_number and settings.goal == "values"
    whole = is_number and bool((numbers.astype(np.float64) % 1 == 0).all())
    few = values.nunique() <= MOST_CLASSES
    if settings.goal == "values" or (is_number and not settings.goal and not (whole and few)):
        if not is_number:
            raise TrainError(f"{settings.target!r} holds texts; they are classes, not values")
        amounts = np.asarray(numbers, np.float64)
        if not (np.abs(amounts) <= LARGEST).all():
            raise TrainError(
                f"{settings.target!r} holds infinite numbers, or such beyond float32; leave them out"
            )
        if (amounts == amounts[0]).all():
            raise TrainError(
                f"{settings.target!r} has one value only, {amounts[0]:g}; there is nothing to learn"
            )
        return frame, amounts, []
    goal = np.asarray(numbers, np.int64) if whole else values.astype(str).to_numpy(object).astype(str)
    kinds, counts = np.unique(goal, return_counts=True)
    classes = kinds.tolist()
    if len(classes) < 2:
        raise TrainError(f"{settings.target!r} has one class only, {classes[0]!r}; there is nothing to learn")
    if len(classes) > len(frame) / 2:
        raise TrainError(
            f"{settings.target!r} has {len(classes)} values in {len(frame)} rows; classes stand in many rows "
            "each, and values are numbers"
        )
    rare = kinds[counts < 2].tolist()
    if rare:
        raise TrainError(f"the class {rare[0]!r} of {settings.target!r} has one row; leave such rows out")
    return frame, goal, classes


def _split(
    frame: pandas.DataFrame, goal: Array, settings: Settings, classifies: bool
) -> tuple[Array, Array, Array | None]:
    """Places of rows to learn from, of rows held out, and the group of each to learn from."""
    how, _, name = settings.split.partition(":")
    random = np.random.default_rng(settings.seed)
    count = round(HELD_OUT * len(frame))
    if how not in ("random", "group", "time"):
        raise TrainError(f"--split {settings.split}: there are random, group:COLUMN and time:COLUMN")
    if how != "random" and name == settings.target:
        raise TrainError(f"--split {settings.split}: {name!r} is what is to be predicted")
    if how != "random" and name not in frame:
        raise TrainError(f"--split {settings.split}: the table has no column {name!r}")
    if how == "time":
        order = np.argsort(_times(frame[name], settings.split), kind="stable")
        return order[:-count], order[-count:], None
    if how == "group":
        groups = frame[name].astype(str).to_numpy()
        names = random.permutation(np.unique(groups))
        if len(names) < LEAST_GROUPS:
            raise TrainError(
                f"--split {settings.split}: {LEAST_GROUPS} groups are the least; {len(names)} there"
            )
        sizes = np.cumsum([(groups == group).sum() for group in names])
        out = np.isin(groups, names[: min(int(np.searchsorted(sizes, count)) + 1, len(names) - 2)])
        return np.flatnonzero(~out), np.flatnonzero(out), groups[~out]
    if not classifies:
        order = random.permutation(len(frame))
        return np.sort(order[count:]), np.sort(order[:count]), None
    held = [random.permutation(np.flatnonzero(goal == kind)) for kind in np.unique(goal)]
    out = np.sort(np.concatenate([rows[: max(1, round(HELD_OUT * len(rows)))] for rows in held]))
    return np.setdiff1d(np.arange(len(frame)), out), out, None


def _without_groups(column: Column, settings: Settings) -> Column:
    """The column, which is no use if it names groups: those of later rows are others."""
    if settings.split != f"group:{column.name}" or column.name in settings.kinds:
        return column
    return replace(column, kind="ignored", why="names the groups of the split")


def _times(values: pandas.Series, split: str) -> Array:
    """What rows are ordered by: numbers, or moments; every row has one."""
    present = values.where(~table.absent(values))
    numbers = pandas.to_numeric(present, errors="coerce")
    are_numbers = numbers.notna().any() and not pandas.api.types.is_datetime64_any_dtype(present)
    times = numbers if are_numbers else moments(present)
    without = int(times.isna().sum())
    if without:
        raise TrainError(
            f"--split {split}: {without} of {len(times)} rows have no time there; leave them out"
        )
    return np.asarray(times)


def _searched(
    inputs: pandas.DataFrame,
    goal: Array,
    columns: list[Column],
    groups: Array | None,
    settings: Settings,
    classes: list[Any],
    progress: Any,
) -> tuple[list[Candidate], Any]:
    """Every family with its defaults, then drawn settings, until the budget or the trials are used up."""
    random = np.random.default_rng(settings.seed)
    rows = np.arange(len(goal))
    if len(rows) > SEARCHED_ROWS and groups is None:
        rows = np.sort(random.choice(rows, SEARCHED_ROWS, replace=False))
    folds = _folds(settings, goal[rows], groups, bool(classes))
    found: list[Candidate] = []
    models = []
    families = affordable(FAMILIES, columns, len(goal))
    began = time.monotonic()
    for trial in range(settings.trials):
        if trial >= len(families) and settings.budget and time.monotonic() - began > settings.budget:
            break
        family = families[trial % len(families)]
        drawn = family.first if trial < len(families) else family.draw(random)
        model = family.make(columns, drawn, bool(classes), settings.seed)
        if progress is not None:
            best = f", best loss {min(row.loss for row in found):.4g}" if found else ""
            progress(f"candidate {trial + 1}: {family.name}{best}")
        start = time.monotonic()
        try:
            losses = -cross_val_score(
                model,
                inputs.iloc[rows],
                goal[rows],
                groups=groups,
                cv=folds,
                scoring=_measure(bool(classes)),
                error_score="raise",
            )
        except ValueError as error:
            said = str(error).strip().partition("\n")[0]
            raise TrainError(
                f"{family.name} cannot learn from a part of the rows, split as --split {settings.split}: "
                f"{said}"
            ) from error
        seconds = time.monotonic() - start
        found.append(Candidate(family.name, drawn, float(losses.mean()), float(losses.std()), seconds))
        models.append(model)
    return found, models[int(np.argmin([row.loss for row in found]))]


def _untried(columns: Sequence[Column], rows: int) -> list[str]:
    tried = affordable(FAMILIES, columns, rows)
    names = [family.name for family in FAMILIES if family not in tried]
    return [f"{' and '.join(names)} was not tried: texts of so many rows would take many GB"] if names else []


def _measure(classifies: bool) -> Any:
    return scores.minus_log_loss if classifies else "neg_root_mean_squared_error"


def _folds(settings: Settings, goal: Array, groups: Array | None, classifies: bool) -> Any:
    if settings.split.startswith("time"):
        return TimeSeriesSplit(FOLDS)
    if groups is not None:
        return GroupKFold(min(FOLDS, len(np.unique(groups))))
    if not classifies:
        return KFold(FOLDS, shuffle=True, random_state=settings.seed)
    least = int(np.unique(goal, return_counts=True)[1].min())
    return StratifiedKFold(max(2, min(FOLDS, least)), shuffle=True, random_state=settings.seed)


def _judged(
    learnt: Array, truth: Array, answers: Array, classes: list[Any], seed: int
) -> tuple[list[Score], list[Score]]:
    """The scores on held-out rows, and those of always saying the same."""
    if classes:
        shares = np.array([(learnt == kind).mean() for kind in classes])
        same = np.tile(shares, (len(truth), 1))
        return scores.of_classes(truth, answers, classes, seed), scores.of_classes(truth, same, classes, seed)
    same = np.full(len(truth), learnt.mean())
    return scores.of_values(truth, answers, seed), scores.of_values(truth, same, seed)
