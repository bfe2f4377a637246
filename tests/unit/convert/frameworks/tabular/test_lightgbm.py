"""LightGBM's models: how they are opened, their columns, and whether they tell classes."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import lightgbm as theirs
import numpy as np
import pandas
import pytest

from sardonyx.convert import convert, from_lightgbm
from sardonyx.convert.framework import ConvertError, Request
from sardonyx.convert.frameworks.tabular import lightgbm
from sardonyx.zoo import pipeline

SETTINGS = {"verbose": -1, "num_threads": 1, "min_data_in_leaf": 1, "num_leaves": 4, "min_data_in_bin": 1}


@pytest.fixture(scope="module")
def booster() -> theirs.Booster:
    random = np.random.default_rng(0)
    rows = np.stack([random.normal(size=60), random.integers(0, 4, 60)], 1)
    goal = rows[:, 0] + 5 * (rows[:, 1] == 2)
    data = theirs.Dataset(rows, goal, feature_name=["size", "kind"], categorical_feature=["kind"])
    return theirs.train({**SETTINGS, "objective": "regression", "min_data_per_group": 1}, data, 3)


def test_files(booster: theirs.Booster, tmp_path: Path) -> None:
    booster.save_model(tmp_path / "m.txt")
    (tmp_path / "m.pkl").write_bytes(pickle.dumps({"is": "pickled"}))
    (tmp_path / "broken.txt").write_text("tree\nversion=v4\n")
    assert lightgbm.load(str(tmp_path / "m.txt"), Request()).num_trees() == 3
    assert lightgbm.load(str(tmp_path / "m.pkl"), Request()) == {"is": "pickled"}
    with pytest.raises(ConvertError, match=r"broken\.txt cannot be read by LightGBM: .*; is the file whole"):
        lightgbm.load(str(tmp_path / "broken.txt"), Request())


def test_a_file_is_read_without_libraries_that_a_booster_does_without(
    booster: theirs.Booster, tmp_path: Path
) -> None:
    """They would take longer to import than all else takes; later imports find them."""
    booster.save_model(tmp_path / "m.txt")
    program = (
        "import sys; from sardonyx.convert.framework import Request\n"
        "from sardonyx.convert.frameworks.tabular import lightgbm\n"
        "trees = lightgbm.load(sys.argv[1], Request()).num_trees()\n"
        "print(trees, 'sklearn' in sys.modules, 'pandas' in sys.modules); import pyarrow"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "m.txt")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["3", "False", "False"]


def test_columns_know_their_borders(booster: theirs.Booster) -> None:
    size, kind = lightgbm._columns(booster.dump_model(), {})
    assert (size.name, kind.name) == ("size", "kind")
    assert len(size.values) and list(size.values) == sorted(size.values)
    assert len(kind.values) and set(kind.values) <= {0.0, 1.0, 2.0, 3.0}


def test_a_booster_is_exported(booster: theirs.Booster, tmp_path: Path) -> None:
    made = lightgbm.export(booster, Request(), tmp_path / "m.onnx")
    assert (made.columns, made.labels, made.notes, made.drawn) == (("size", "kind"), (), (), True)
    np.testing.assert_allclose(
        made.cases[0].answers[0], booster.predict(made.cases[0].feeds["x"].astype(np.float64))
    )
    with pytest.raises(ConvertError, match="a dict is not a model of LightGBM"):
        lightgbm.export({}, Request(), tmp_path / "m.onnx")


@pytest.mark.parametrize(
    ("model", "objective", "expected"),
    [
        (object(), "binary sigmoid:1", True),
        (object(), "multiclassova num_class:3", True),
        (object(), "regression", False),
        (object(), None, False),
        (SimpleNamespace(predict_proba=None), "custom", True),
    ],
)
def test_what_tells_classes(model: Any, objective: str | None, expected: bool) -> None:
    dumped = {} if objective is None else {"objective": objective}
    assert lightgbm._is_classifier(model, dumped) == expected


def test_labels() -> None:
    named = SimpleNamespace(predict_proba=None, classes_=["a", "b"])
    two, three = ({"objective": "binary", "num_class": number} for number in (1, 3))
    for model, dumped, expected in ((named, {}, ["a", "b"]), (0, two, [0, 1]), (0, three, [0, 1, 2])):
        found = lightgbm.classes(model, dumped)
        assert found is not None and found.tolist() == expected
    assert lightgbm.classes(object(), {"objective": "regression"}) is None


def test_categories_of_pandas_keep_their_texts(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    jobs = random.choice(["baker", "nurse", "smith"], 200)
    frame = pandas.DataFrame({"age": random.integers(18, 80, 200).astype(float), "job": jobs})
    goal = np.where((frame.age > 45) ^ (frame.job == "nurse"), "yes", "no")
    learnt = frame.assign(job=frame.job.astype("category"))
    model = theirs.LGBMClassifier(n_estimators=5, verbose=-1, num_threads=1).fit(learnt, goal)
    model.booster_.save_model(tmp_path / "model.txt")
    frame.to_csv(tmp_path / "rows.csv", index=False)
    made = convert(tmp_path / "model.txt", tmp_path / "model.onnx", sample=tmp_path / "rows.csv")
    assert made.parity.holds and "job is a number: 0 = baker, 1 = nurse, 2 = smith" in made.notes
    answers = pipeline("table", str(tmp_path / "model.onnx"))(tmp_path / "rows.csv").data
    assert [row["label"] for row in answers] == (model.predict(learnt) == "yes").astype(int).tolist()
    strange = frame.head(1).assign(job="clown").to_dict("list")
    missing = {**strange, "job": [np.nan]}
    ask = pipeline("table", str(tmp_path / "model.onnx"))
    assert ask(strange).data == ask(missing).data


def test_categories_that_are_numbers_are_found_by_value(tmp_path: Path) -> None:
    grades: dict[str, list[Any]] = {"real": [7.0, 1.0, 2.5], "whole": [7, 1, 3, 9], "truth": [True, False]}
    count = np.arange(200)
    frame = pandas.DataFrame(
        {"size": np.random.default_rng(0).normal(size=200)}
        | {name: np.array(values)[count % len(values)] for name, values in grades.items()}
    )
    learnt = frame.astype(dict.fromkeys(grades, "category"))
    goal = sum(
        frame[name].to_numpy(np.float64) + 3 * (frame[name] == values[0]) for name, values in grades.items()
    )
    model = theirs.LGBMRegressor(n_estimators=5, verbose=-1, num_threads=1).fit(learnt, goal)
    assert all(model.feature_importances_[1:])
    model.booster_.save_model(tmp_path / "model.txt")
    frame.to_csv(tmp_path / "rows.csv", index=False)
    expected = model.predict(learnt)
    assert from_lightgbm(theirs.Booster(model_file=tmp_path / "model.txt"), sample=learnt).parity.holds
    made = convert(tmp_path / "model.txt", tmp_path / "model.onnx", sample=tmp_path / "rows.csv")
    assert made.parity.holds
    ask = pipeline("table", str(tmp_path / "model.onnx"))
    whole = {**frame, **{name: [f"{value:g}" for value in frame[name].astype(float)] for name in grades}}
    for cells in (tmp_path / "rows.csv", frame.to_dict("list"), whole):
        found = np.array([row["value"] for row in ask(cells).data]).ravel()
        np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_categories_whose_columns_are_not_clear_are_not_told() -> None:
    dumped: dict[str, Any] = {
        "feature_names": ["a", "b"],
        "pandas_categorical": [["x", "y"], [1, 2]],
        "categories": [0],
    }
    assert lightgbm.categories(dumped) == lightgbm.categories({**dumped, "pandas_categorical": None}) == {}
    dumped["categories"] = [0, 1]
    assert lightgbm.categories(dumped) == {"a": ["x", "y"], "b": [1, 2]}


def test_a_column_of_one_category_is_known_too() -> None:
    hue = pandas.Categorical(["red", "blue"] * 30)
    rows = pandas.DataFrame({"one": pandas.Categorical(["same"] * 60), "size": np.arange(60.0), "hue": hue})
    model = theirs.LGBMRegressor(n_estimators=2, verbose=-1, num_threads=1).fit(rows, np.arange(60))
    dumped = lightgbm.described(model.booster_)
    assert lightgbm.categories(dumped) == {"one": ["same"], "hue": ["blue", "red"]}
    assert lightgbm.described(theirs.Booster(model_str=model.booster_.model_to_string())) == dumped
