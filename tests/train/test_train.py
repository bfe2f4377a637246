"""Tables become models that take raw columns by name; what cannot be learned from is named, runs repeat."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas
import pytest
from sklearn.datasets import load_diabetes
from threadpoolctl import threadpool_limits

import sardonyx
from sardonyx.base.together import WriteError
from sardonyx.convert import from_sklearn
from sardonyx.monitor.baseline import read_baseline
from sardonyx.tools.cli import main
from sardonyx.train import Settings, Trained, TrainError, train
from sardonyx.train.families import FAMILIES, Family
from sardonyx.train.report import page
from sardonyx.train.table import Column, described, prepared, read
from sardonyx.zoo import pipeline
from tests.disk import full_disk
from tests.train.beside import DATA_SETS, PAGE, SEEDS, Losses, figures, losses, with_figures

DICE = np.random.default_rng(0)
ROWS = 400
PHRASES = ("good and fast service here", "slow and rude staff again", "fine food but a long wait")
SPOKEN = [PHRASES[at % 3] + f" number {at % 83}" for at in range(ROWS)]


def shop() -> pandas.DataFrame:
    age = DICE.integers(18, 80, ROWS).astype(object)
    job = DICE.choice(["nurse", "teacher", "smith"], ROWS)
    days = pandas.to_datetime("2024-01-01") + pandas.to_timedelta(DICE.integers(0, 600, ROWS), "D")
    score = (age.astype(float) > 45).astype(int) + (job == "nurse") + [("good" in text) for text in SPOKEN]
    age[::20] = ""
    return pandas.DataFrame(
        {
            "id": range(ROWS),
            "how old": age,
            "job": job,
            "day": days.strftime("%Y-%m-%d"),
            "note": SPOKEN,
            "same": 1,
            "bought": np.where(score + DICE.normal(0, 0.3, ROWS) > 1, "yes", "no"),
        }
    )


SHOP = shop()


def quick(target: str, **more: Any) -> Settings:
    return Settings(target, trials=1, budget=0, **more)


@pytest.fixture(scope="module")
def bought() -> Trained:
    """What `train` makes of the shop, for tests that change nothing about it."""
    with threadpool_limits(2):
        return train(SHOP, quick("bought", seed=3))


@pytest.fixture(scope="module")
def diabetes() -> Trained:
    """A model of numbers."""
    return train(load_diabetes(as_frame=True).frame, quick("target"))


def fed(session: sardonyx.InferenceSession, rows: pandas.DataFrame) -> dict[str, Any]:
    """The columns of a file as a model takes them."""
    return {
        row.name: rows[[row.name]].to_numpy(object)
        if "string" in row.type
        else pandas.to_numeric(rows[row.name], errors="coerce").to_numpy(np.float32)[:, None]
        for row in session.get_inputs()
    }


def test_columns_are_what_they_look_like(tmp_path: Path) -> None:
    SHOP.to_csv(tmp_path / "shop.csv", index=False)
    found = {row.name: row for row in described(read(tmp_path / "shop.csv"), {}, ())}
    assert {name: row.kind for name, row in found.items()} == {
        "id": "ignored",
        "how old": "number",
        "job": "category",
        "day": "date",
        "note": "text",
        "same": "ignored",
        "bought": "category",
    }
    assert found["how old"].missing == ROWS // 20
    told = {row.name: row for row in described(SHOP, {"how old": "category"}, ("job",))}
    assert (told["how old"].kind, told["job"].kind, told["job"].why) == ("category", "ignored", "as told")


def test_a_model_takes_raw_columns_and_says_the_same(bought: Trained, tmp_path: Path) -> None:
    assert bought.converted.parity.holds
    assert bought.scores[0].low > bought.baseline_scores[0].value
    files = bought.save(tmp_path / "shop.onnx")
    session = sardonyx.InferenceSession(str(files[0]))
    names = [row.name for row in session.get_inputs()]
    assert names == ["how old", "job", "note", "day"]
    rows = pandas.read_csv(files[2], keep_default_na=False)
    feeds = fed(session, rows)
    assert session.run(["label"], feeds)[0].tolist() == rows["bought"].tolist()
    assert json.loads(files[1].read_text())["columns"][0]["why"] == "counts the rows"
    with full_disk(2000), pytest.raises(WriteError, match=r"other\.onnx cannot be written: File too large"):
        bought.save(tmp_path / "other.onnx", {tmp_path / "other.html": "report"})
    assert sorted(tmp_path.iterdir()) == sorted(files)


def test_dates_of_other_kinds_are_asked_for_in_parts() -> None:
    days = pandas.to_datetime(SHOP.day)
    for column, inside in ((days.dt.strftime("%d.%m.%Y"), False), (days, True)):
        trained = train(SHOP.assign(day=column), quick("bought", kinds={"day": "date"}, ignored=("note",)))
        names = [row.name for row in trained.converted.session().get_inputs()]
        assert ("day" in names, "day.month" in names) == (inside, not inside)
        assert ("day" in trained.sample, "day.month" in trained.sample) == (inside, not inside)


def test_a_task_reads_a_table_as_the_training_did(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    days = pandas.date_range("2024-01-01", periods=ROWS, freq="D")
    frame = pandas.DataFrame(
        {
            "when": days.strftime("%d/%m/%Y").where(random.random(ROWS) < 0.9, "N/A"),
            "price": [f"{number:.2f}".replace(".", ",") for number in random.normal(3, 1, ROWS)],
            "code": [f"{number:05}" for number in random.choice([67, 1067, 80331], ROWS)],
            "told": np.where(random.random(ROWS) < 0.5, "yes", "null"),
        }
    )
    is_early = (days.month < 6) | (frame.code == "00067")
    frame["goal"] = np.where((frame.told == "yes") & is_early, "01", "1")
    frame.loc[::7, "price"] = "n/a"
    frame.to_csv(tmp_path / "t.csv", sep=";", index=False, encoding="utf-16")
    trained = train(tmp_path / "t.csv", quick("goal"))
    assert trained.classes == ["01", "1"] and trained.scores[0].value > 0.8
    run = pipeline("table", str(trained.save(tmp_path / "m.onnx")[0]))
    learned = prepared(read(tmp_path / "t.csv"), trained.columns)[0]
    told = [row["label"] for row in run(tmp_path / "t.csv").data]
    assert told == trained.model.predict(learned).tolist()
    with (tmp_path / "one.csv").open("w", encoding="utf-8") as file:
        frame.iloc[[3]].to_csv(file, index=False, sep=";")
    assert frame.when[3] == "04/01/2024", "a row alone does not tell that the day stands first"
    assert [row["label"] for row in run(tmp_path / "one.csv").data] == told[3:4]


def test_runs_repeat_themselves(bought: Trained) -> None:
    with threadpool_limits(2):
        second = train(SHOP, quick("bought", seed=3))
    assert bought.record()["scores"] == second.record()["scores"]
    assert [row.loss for row in bought.candidates] == [row.loss for row in second.candidates]
    assert np.array_equal(bought.answers, second.answers)


def test_numbers_are_predicted_from_any_source(diabetes: Trained, tmp_path: Path) -> None:
    frame = load_diabetes(as_frame=True).frame
    frame.to_parquet(tmp_path / "d.parquet")
    with duckdb.connect(str(tmp_path / "d.duckdb")) as database:
        database.execute(f"create table d as select * from '{tmp_path / 'd.parquet'}'")
    pandas.testing.assert_frame_equal(read(tmp_path / "d.parquet"), frame)
    queried = train(tmp_path / "d.duckdb", quick("target"), "select * from d")
    assert queried.scores[0].value == diabetes.scores[0].value < 65


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_rows_at_a_border_go_the_same_way(family: Family) -> None:
    values = np.round(np.random.default_rng(1).normal(14, 3, 500), 1)
    frame = pandas.DataFrame({"a": values, "b": values[::-1]}).astype(np.float32)
    goal = (frame.a + frame.b > 28).to_numpy()
    columns = [Column(name, "number", 200, 0) for name in frame]
    model = family.make(columns, family.first, True, 0).fit(frame, goal)
    assert from_sklearn(model, sample=frame).parity.holds


@pytest.mark.slow
def test_splits_are_honest() -> None:
    by_time = train(SHOP, quick("bought", split="time:day"))
    assert len(by_time.truth) == ROWS // 5
    grouped = SHOP.assign(shop=[f"s{at % 12}" for at in range(ROWS)])
    assert 0 < len(train(grouped, quick("bought", split="group:shop")).truth) < ROWS / 2


@pytest.mark.slow
def test_leaks_are_suspected() -> None:
    told = SHOP.assign(paid=np.where(SHOP.bought == "yes", 10.0, 0.0))
    assert any("'paid' alone tells" in text for text in train(told, quick("bought")).warnings)
    doubled = pandas.concat([SHOP.drop(columns="id")] * 2)
    assert any("stand among those" in text for text in train(doubled, quick("bought")).warnings)


def test_the_report_holds_what_was_found(bought: Trained, diabetes: Trained) -> None:
    text = page(bought, "<shop>")
    assert "&lt;shop&gt;" in text and "<shop>" not in text
    assert all(part in text for part in ("balanced accuracy", "<svg", "counts the rows", "log loss"))
    values = page(diabetes, "d")
    assert "variance explained" in values and values.count("<circle") > 50


@pytest.mark.parametrize(
    ("frame", "settings", "said"),
    [
        (SHOP, quick("nothing"), "no column 'nothing'"),
        (SHOP.assign(bought="yes"), quick("bought"), "one class only"),
        (SHOP.head(20), quick("bought"), "20 rows"),
        (SHOP, quick("bought", kinds={"job": "colour"}), "'colour' is not a kind"),
        (SHOP, quick("bought", ignored=("colour",)), "no column 'colour'"),
        (SHOP, quick("bought", split="moon"), "there are random"),
        (SHOP, quick("bought", split="group:moon"), "no column 'moon'"),
        (SHOP, quick("bought", goal="values"), "they are classes"),
        (SHOP[["id", "same", "bought"]], quick("bought"), "no column is left"),
    ],
)
def test_what_cannot_be_learned_from_is_named(frame: pandas.DataFrame, settings: Settings, said: str) -> None:
    with pytest.raises(TrainError, match=said):
        train(frame, settings)


def test_the_command_writes_all(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    SHOP.to_csv(tmp_path / "shop.csv", index=False)
    words = ["train", str(tmp_path / "shop.csv"), "--target", "bought", "--trials", "1", "--budget", "0"]
    words += ["-o", str(tmp_path / "m.onnx"), "--report", str(tmp_path / "m.html"), "--ignore", "note"]
    assert main(words) == 0
    assert "accuracy" in capsys.readouterr().out
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        *("m.baseline.csv", "m.html", "m.onnx", "m.train.json", "shop.csv")
    ]
    capsys.readouterr()
    assert main(["train", "compare", str(tmp_path / "m.onnx"), str(tmp_path / "m.train.json")]) == 0
    assert "no clear difference" in capsys.readouterr().out
    assert main(["train", "compare", str(tmp_path / "m.onnx")]) == 1
    assert main(["train", str(tmp_path / "shop.csv")]) == 1
    assert "--target" in capsys.readouterr().err
    assert main(["train", str(tmp_path / "none.csv"), "--target", "x"]) == 1
    assert main(["train", str(tmp_path / "m.onnx"), "--target", "x"]) == 1


@pytest.mark.parametrize("which", ["bought", "diabetes"])
def test_the_baseline_has_what_the_model_gives_for_rows_that_it_has_not_seen(
    tmp_path: Path, request: pytest.FixtureRequest, which: str
) -> None:
    trained: Trained = request.getfixturevalue(which)
    model, _, csv = trained.save(tmp_path / "m.onnx")
    rows, unseen = pandas.read_csv(csv, keep_default_na=False), len(trained.truth)
    session = sardonyx.InferenceSession(str(model))
    feeds, names = fed(session, rows), [output.name for output in session.get_outputs()]
    for name, found in zip(names, session.run(None, feeds), strict=True):
        told = rows[[column for column in rows if column.startswith(f"out.{name}")]].to_numpy()
        assert (told[unseen:] == "").all() and len(told) > unseen
        expected = found[:unseen].reshape(told[:unseen].shape)
        if found.dtype.kind == "f":
            np.testing.assert_allclose(told[:unseen].astype(np.float64), expected, rtol=1e-3, atol=1e-4)
        else:
            assert told[:unseen].tolist() == expected.tolist()
    frame = read_baseline(csv, list(feeds), names, trained.settings.target)
    assert {f"in.{name}" for name in feeds} <= frame.keys()
    assert {len(column.present()) for name, column in frame.items() if name.startswith("out.")} == {unseen}
    assert ("out.probabilities.top" in frame) == (which == "bought")


@pytest.mark.slow
@pytest.mark.parametrize("name", DATA_SETS)
def test_no_worse_than_the_defaults_of_scikit_learn(name: str) -> None:
    """In the mean of splits: of one split a fifth of 178 rows is held out, which decides nothing."""
    found = [losses(DATA_SETS[name], seed) for seed in SEEDS]
    ours, *peers = np.mean([(split.ours, *split.peers) for split in found], 0)
    assert ours <= min(peers), found


def test_the_page_has_figures_of_every_data_set() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert all(f"| {name} | " in page for name in DATA_SETS)
    table = figures({"a": [Losses(0.1, (0.2, 0.3), "loss", 9), Losses(0.3, (0.2, 0.5), "loss", 9)]})
    assert table.endswith("| a | 9 | loss | 0.2 | 0.2 | 0.4 |\n")
    changed = with_figures(page, table)
    assert table in changed and "| wine | " not in changed
    assert changed.partition(table)[0] == page.partition("| data set")[0]
