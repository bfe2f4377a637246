"""What is predicted, which rows are held out, which candidate wins, and what a record holds."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas
import pytest
from sklearn.dummy import DummyRegressor
from sklearn.model_selection import GroupKFold, KFold, StratifiedKFold, TimeSeriesSplit

from sardonyx.convert.framework import ParityError
from sardonyx.convert.parity import Parity
from sardonyx.train import training
from sardonyx.train.families import Family
from sardonyx.train.scores import Score
from sardonyx.train.table import Column, TrainError
from sardonyx.train.training import Candidate, Settings, Trained

FRAME = pandas.DataFrame(
    {
        "few": np.arange(50) % 3,
        "many": np.arange(50),
        "part": np.arange(50) / 7,
        "word": ["a", "b"] * 25,
        "flag": [True, False] * 25,
        "same": "x",
        "rare": ["one", *(["two"] * 49)],
        "group": [f"g{at // 10}" for at in range(50)],
        "day": pandas.date_range("2024-01-01", periods=50)[::-1].astype(str),
    }
)


@pytest.mark.parametrize(
    ("target", "goal", "classes"),
    [
        ("few", "", [0, 1, 2]),
        ("few", "values", []),
        ("many", "", []),
        ("part", "", []),
        ("many", "classes", None),
        ("word", "", ["a", "b"]),
        ("flag", "", ["False", "True"]),
    ],
)
def test_what_is_predicted(target: str, goal: str, classes: list[Any] | None) -> None:
    if classes is None:
        with pytest.raises(TrainError, match="'many' has 50 values in 50 rows; classes stand in"):
            training._goal(FRAME, Settings(target, goal=goal))
        return
    _, values, found = training._goal(FRAME, Settings(target, goal=goal))
    assert found == classes and len(values) == 50
    assert values.dtype.kind == ("f" if not classes else "i" if target == "few" else "U")


@pytest.mark.parametrize(
    ("frame", "settings", "told"),
    [
        (FRAME, Settings("gone"), "no column 'gone'; it has few, many"),
        (FRAME.head(29), Settings("few"), "29 rows have a target; 30 are the least"),
        (FRAME, Settings("word", goal="values"), "'word' holds texts; they are classes, not values"),
        (FRAME, Settings("same"), "'same' has one class only, 'x'"),
        (FRAME, Settings("rare"), "the class 'one' of 'rare' has one row"),
    ],
)
def test_targets_that_cannot_be_learned(frame: pandas.DataFrame, settings: Settings, told: str) -> None:
    with pytest.raises(TrainError, match=told):
        training._goal(frame, settings)


@pytest.mark.parametrize("values", [[1, 2], [0.5, 1.5], [2**62, 2**62 + 1]])
def test_targets_of_arrow(values: list[Any]) -> None:
    pytest.importorskip("pyarrow")
    goal = pandas.Series(values * 20).convert_dtypes(dtype_backend="pyarrow")
    _, found, classes = training._goal(pandas.DataFrame({"y": goal}), Settings("y"))
    assert found.tolist() == values * 20 and classes in (values, [])


def test_rows_without_a_target_are_left_out() -> None:
    frame = FRAME.assign(word=["", "na", *["a", "b"] * 24])
    kept, values, _ = training._goal(frame, Settings("word"))
    assert len(kept) == len(values) == 48 and kept.index[0] == 0 and kept["many"][0] == 2


def split(how: str, goal: Any = None, seed: int = 0, frame: pandas.DataFrame = FRAME) -> tuple[Any, Any, Any]:
    goal = frame["few"].to_numpy() if goal is None else goal
    learnt, held, groups = training._split(
        frame, goal, Settings("few", split=how, seed=seed), goal.dtype.kind != "f"
    )
    assert sorted([*learnt, *held]) == list(range(len(frame)))
    return learnt, held, groups


def test_every_class_is_on_both_sides() -> None:
    learnt, held, groups = split("random")
    assert groups is None and len(held) == 9
    few = FRAME["few"].to_numpy()
    assert set(few[held]) == set(few[learnt]) == {0, 1, 2}
    assert split("random")[1].tolist() == held.tolist() != split("random", seed=1)[1].tolist()
    assert len(split("random", np.arange(50.0))[1]) == 10


def test_later_rows_are_held_out() -> None:
    assert split("time:day")[1].tolist() == list(range(9, -1, -1))


def test_a_group_is_on_one_side() -> None:
    learnt, held, groups = split("group:group")
    group = FRAME["group"].to_numpy()
    assert not set(group[learnt]) & set(group[held])
    assert list(groups) == list(group[learnt])


@pytest.mark.parametrize(
    ("how", "told"),
    [
        ("odd", "--split odd: there are random, group:COLUMN and time:COLUMN"),
        ("time:gone", "--split time:gone: the table has no column 'gone'"),
        ("group:same", "--split group:same: 3 groups are the least; 1 there"),
    ],
)
def test_splits_that_are_none(how: str, told: str) -> None:
    with pytest.raises(TrainError, match=told):
        split(how)


def test_folds() -> None:
    few, groups = FRAME["few"].to_numpy(), FRAME["group"].to_numpy()
    assert isinstance(training._folds(Settings("x", split="time:day"), few, None, True), TimeSeriesSplit)
    by_group = training._folds(Settings("x"), few, groups[:30], True)
    assert isinstance(by_group, GroupKFold) and by_group.n_splits == 3
    assert isinstance(training._folds(Settings("x"), few, None, False), KFold)
    rare = np.array([0] * 40 + [1] * 3)
    stratified = training._folds(Settings("x"), rare, None, True)
    assert isinstance(stratified, StratifiedKFold) and stratified.n_splits == 3
    assert training._folds(Settings("x"), np.array([0] * 40 + [1]), None, True).n_splits == 2


def test_the_best_candidate_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    def family(constant: float) -> Family:
        def make(*_: Any) -> DummyRegressor:
            return DummyRegressor(strategy="constant", constant=constant)

        return Family(f"always {constant:g}", make, lambda random: {"drawn": int(random.integers(9))}, {})

    monkeypatch.setattr(training, "FAMILIES", (family(0), family(24), family(99)))
    told: list[str] = []
    goal = np.arange(50.0)
    found, model = training._searched(
        FRAME, goal, [], None, Settings("many", budget=0, trials=4), [], told.append
    )
    assert [row.family for row in found] == ["always 0", "always 24", "always 99", "always 0"]
    assert [bool(row.settings) for row in found] == [False, False, False, True]
    assert model.constant == 24 and found[1].loss < found[0].loss < found[2].loss
    assert told[0] == "candidate 1: always 0" and told[3].startswith("candidate 4: always 0, best loss 14.")
    short, _ = training._searched(FRAME, goal, [], None, Settings("many", budget=1e-9, trials=9), [], None)
    assert len(short) == 3


def test_scores_stand_beside_always_the_same() -> None:
    truth = np.array([0.0, 1, 2, 3])
    found, plain = training._judged(truth, truth, truth, [], 0)
    assert found[0].value == 0 < plain[0].value
    goal = np.array(["a", "b", "a", "a"])
    right = np.array([[1.0, 0], [0, 1], [1, 0], [1, 0]])
    found, plain = training._judged(goal, goal, right, ["a", "b"], 0)
    assert [row.name for row in found] == [row.name for row in plain] and found != plain


def test_no_option_of_another_command_is_advised(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise ParityError("y is 2 away")

    monkeypatch.setattr(training, "from_sklearn", refuse)
    with pytest.raises(TrainError, match="^y is 2 away; nothing was written") as failed:
        training._proven(None, pandas.DataFrame(), pandas.DataFrame(), [])
    assert "force" not in str(failed.value)


def test_three_files_are_written(tmp_path: Path) -> None:
    model = SimpleNamespace(SerializeToString=lambda: b"onnx")
    converted: Any = SimpleNamespace(model=model, parity=Parity([], False))
    score = Score("accuracy", 0.9, 0.8, 1.0)
    trained = Trained(
        Settings("y"), [Column("x", "number", 3, 1)], ["a", np.int64(2)],
        [Candidate("linear", {"C": 1.0}, 0.1, 0.0, 0.5)],
        [score], [score], [("x", 0.5, 0.1)], ["look"], np.zeros(1), np.zeros(1), converted,
        pandas.DataFrame({"x": [1]}), 9, None,
    )  # fmt: skip
    written = trained.save(tmp_path / "m.onnx")
    assert [path.name for path in written] == ["m.onnx", "m.train.json", "m.baseline.csv"]
    record = json.loads(written[1].read_text())
    assert (record["rows"], record["classes"], record["warnings"]) == (9, ["a", "2"], ["look"])
    assert record["importance"] == [{"column": "x", "loss": 0.5, "spread": 0.1}]
    assert record["candidates"][0]["family"] == "linear" and record["settings"]["target"] == "y"
    assert written[2].read_text() == "x\n1\n" and written[0].read_bytes() == b"onnx"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (
            {"target": pandas.date_range("2024-01-01", periods=50, tz="UTC")},
            "UTC.; give numbers, as of hours",
        ),
        ({"target": pandas.to_timedelta(np.arange(50), unit="h")}, "'target' holds timedelta64"),
        ({"target": np.arange(50) * 1j}, "'target' holds complex128; give numbers"),
        (
            {"target": np.where(np.arange(50) == 3, np.inf, np.arange(50) / 7)},
            "'target' holds infinite numbers",
        ),
        ({"target": np.arange(50) * 1e300 + 0.5}, "'target' holds infinite numbers, or such beyond float32"),
        ({"target": 1.5}, "'target' has one value only, 1.5"),
        ({"target": [f"id {at}" for at in range(50)]}, "'target' has 50 values in 50 rows"),
        ({"part": np.where(np.arange(50) == 3, np.inf, np.arange(50))}, "1 numbers of the column 'part' are"),
    ],
)
def test_numbers_and_classes_that_cannot_be_learned(change: dict[str, Any], told: str) -> None:
    frame = FRAME.assign(target=np.arange(50) / 7).assign(**change)
    with pytest.raises(TrainError, match=told):
        training.train(frame[["part", "target"]], Settings("target", trials=1))


@pytest.mark.parametrize(
    ("split", "told"),
    [
        ("group:word", "3 groups are the least; 2 there"),
        ("group:target", "'target' is what is to be predicted"),
        ("time:word", "50 of 50 rows have no time there; leave them out"),
        ("time:many", "the class 'late' stands in held-out rows alone"),
    ],
)
def test_splits_that_leave_nothing_to_learn(split: str, told: str) -> None:
    frame = FRAME.assign(target=["early", "soon"] * 22 + ["late"] * 6)
    with pytest.raises(TrainError, match=told):
        training.train(frame, Settings("target", split=split, trials=1))


def test_a_class_that_a_part_of_the_rows_lacks() -> None:
    frame = FRAME.assign(target=(["early"] * 20 + ["soon", "late"] * 15))
    with pytest.raises(
        TrainError, match="linear cannot learn from a part of the rows, split as --split time:many"
    ):
        training.train(frame, Settings("target", split="time:many", trials=1))
    late = FRAME.assign(target=["early", "soon"] * 15 + ["early", "late"] * 10)
    found = training.train(late, Settings("target", split="time:many", trials=1, ignored=("same", "rare")))
    assert found.classes == ["early", "late", "soon"] and np.isfinite(found.candidates[0].loss)
    assert next(row.why for row in found.columns if row.name == "many") == "counts the rows"


def test_groups_are_no_feature() -> None:
    frame = FRAME.assign(target=["a", "b"] * 25)
    found = training.train(
        frame[["part", "group", "target"]], Settings("target", split="group:group", trials=1)
    )
    assert {row.name: row.kind for row in found.columns} == {"part": "number", "group": "ignored"}


def test_times_are_dates_or_numbers() -> None:
    dates = pandas.Series(["03.01.2024", "12.01.2024", "01.02.2024"])
    assert np.argsort(training._times(dates, "")).tolist() == [0, 1, 2]
    assert np.argsort(training._times(pandas.Series(["10", "9", "11"]), "")).tolist() == [1, 0, 2]
    with pytest.raises(TrainError, match="1 of 2 rows have no time there"):
        training._times(pandas.to_datetime(pandas.Series(["2024-01-03", None])), "")
