"""What we decide of CatBoost's models: which answers are asked for, what is refused, how it is told."""

from __future__ import annotations

import pickle
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx
import pytest

from sardonyx.convert.framework import ConvertError, Request
from sardonyx.convert.frameworks.tabular import catboost
from tests.unit.convert.frameworks.standins import install, some_model


class Fitted(SimpleNamespace):
    """A fitted model of two features."""

    feature_names_: Any = None
    loss = "RMSE"
    categories: tuple[int, ...] = ()
    error: Exception | None = None

    def get_cat_feature_indices(self) -> list[int]:
        return list(self.categories)

    def get_text_feature_indices(self) -> list[int]:
        return []

    def get_all_params(self) -> dict[str, str]:
        return {"loss_function": self.loss}

    def get_borders(self) -> dict[int, list[float]]:
        return {0: [1.0, 2.0], 1: []}

    def save_model(self, path: str, format: str) -> None:
        assert format == "onnx"
        if self.error:
            raise self.error
        some_model(path)

    def predict(self, rows: Any, prediction_type: str) -> Any:
        assert rows.dtype == np.float64
        kinds = {"RawFormulaVal": rows[:, 0], "Class": [["a"]] * len(rows), "Probability": rows}
        return kinds[prediction_type]


def test_files_and_pickles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class RefusalError(Exception):
        pass

    def load_model(source: str) -> str:
        if source.endswith("broken.cbm"):
            raise RefusalError("bad crc\nat line 3")
        return f"of {Path(source).name}"

    install(
        monkeypatch,
        "catboost",
        CatBoostError=RefusalError,
        CatBoost=lambda: SimpleNamespace(load_model=load_model),
    )
    for name in ("m.cbm", "broken.cbm"):
        (tmp_path / name).write_bytes(b"CBM1...")
    (tmp_path / "m.pkl").write_bytes(pickle.dumps({"is": "pickled"}))
    assert catboost.load(str(tmp_path / "m.cbm"), Request()) == "of m.cbm"
    assert catboost.load(str(tmp_path / "m.pkl"), Request()) == {"is": "pickled"}
    with pytest.raises(ConvertError, match=r"cannot be read by CatBoost: bad crc; is the file whole"):
        catboost.load(str(tmp_path / "broken.cbm"), Request())


def test_values(tmp_path: Path) -> None:
    made = catboost.export(Fitted(), Request(), tmp_path / "m.onnx")
    assert (made.outputs, made.labels, made.columns, made.drawn) == (("value",), (), ("x0", "x1"), True)
    whole, one = made.cases
    assert whole.feeds["features"].dtype == np.float32 and len(one.feeds["features"]) == 1
    np.testing.assert_array_equal(whole.answers[0], whole.feeds["features"][:, 0])


def test_classes(tmp_path: Path) -> None:
    model = Fitted(loss="Logloss:weights=1", classes_=np.array(["a", "b"]), feature_names_=["one", "two"])
    made = catboost.export(model, Request({"": np.ones((3, 2))}), tmp_path / "m.onnx")
    assert (made.outputs, made.labels) == (("label", "probabilities"), ("a", "b"))
    assert (made.columns, made.drawn) == (("one", "two"), False)
    assert made.cases[0].answers[0].tolist() == ["a"] * 3


def test_refusals(tmp_path: Path) -> None:
    with pytest.raises(ConvertError, match="numeric features only; encode categories"):
        catboost.export(Fitted(categories=(1,)), Request(), tmp_path / "m.onnx")
    for said, told in (
        ("unknown label type float\nx", "fit it on such"),
        ("no\nmore", "cannot export this model: no$"),
    ):
        with pytest.raises(ConvertError, match=told):
            catboost.export(Fitted(error=ValueError(said)), Request(), tmp_path / "m.onnx")


@pytest.mark.parametrize(
    "loss", ["MultiRMSE", "MultiQuantile:alpha=0.1,0.5", "RMSEWithUncertainty", "MultiLogloss"]
)
def test_several_answers_are_refused(loss: str, tmp_path: Path) -> None:
    with pytest.raises(ConvertError, match=r"of several answers \(\w+\); train a model for each"):
        catboost.export(Fitted(loss=loss), Request(), tmp_path / "m.onnx")


def test_classes_that_are_each_judged_alone_are_not_made_to_add_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def save_model(self: Fitted, path: str, format: str) -> None:
        node = onnx.helper.make_node("T", ["x"], ["y"], post_transform="SOFTMAX", rest=1)
        onnx.save(onnx.helper.make_model(onnx.helper.make_graph([node], "g", [], [])), path)

    monkeypatch.setattr(Fitted, "save_model", save_model)
    catboost.export(Fitted(loss="MultiClassOneVsAll"), Request(), tmp_path / "m.onnx")
    (node,) = onnx.load(tmp_path / "m.onnx").graph.node
    held = {row.name: onnx.helper.get_attribute_value(row) for row in node.attribute}
    assert held == {"post_transform": b"LOGISTIC", "rest": 1}


def test_a_ranker_is_asked_without_a_kind_of_answer(tmp_path: Path) -> None:
    class Ranker(Fitted):
        def predict(self, rows: Any) -> Any:  # type: ignore[override]
            return rows[:, 1]

    (case, *_) = catboost.export(Ranker(), Request(), tmp_path / "m.onnx").cases
    np.testing.assert_array_equal(case.answers[0], case.feeds["features"][:, 1])
