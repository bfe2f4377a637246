"""What we decide of CatBoost's models: which answers are asked for, what is refused, how it is told."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from sardonyx.convert.framework import ConvertError, Request
from sardonyx.convert.frameworks.tabular import catboost
from tests.unit.convert.frameworks.standins import install
from tests.unit.convert.frameworks.tabular.catboost_saved import described, symmetric


class Fitted(SimpleNamespace):
    """A fitted model of two features."""

    feature_names_: Any = None
    loss = "RMSE"
    categories: tuple[int, ...] = ()
    error: Exception | None = None
    outputs = 1

    def get_cat_feature_indices(self) -> list[int]:
        return list(self.categories)

    def get_text_feature_indices(self) -> list[int]:
        return []

    def get_all_params(self) -> dict[str, str]:
        return {"loss_function": self.loss}

    def get_borders(self) -> dict[int, list[float]]:
        return {0: [1.0, 2.0], 1: []}

    def save_model(self, path: str, format: str) -> None:
        assert format == "json"
        if self.error:
            raise self.error
        tree = symmetric([(0, 1.0)], np.ones((2, self.outputs)))
        Path(path).write_text(json.dumps(described([tree], outputs=self.outputs)))

    def predict(self, rows: Any, prediction_type: str) -> Any:
        assert rows.dtype == np.float64
        kinds = {"Class": [["a"]] * len(rows), "Probability": rows}
        return kinds.get(prediction_type, np.full(len(rows), prediction_type))


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


@pytest.mark.parametrize(
    ("loss", "outputs", "asked"),
    [
        ("RMSE", 1, "RawFormulaVal"),
        ("Poisson", 1, "Exponent"),
        ("Tweedie:variance_power=1.5", 1, "Exponent"),
        ("RMSEWithUncertainty", 2, "RMSEWithUncertainty"),
    ],
)
def test_values_are_those_of_the_estimator(loss: str, outputs: int, asked: str, tmp_path: Path) -> None:
    made = catboost.export(Fitted(loss=loss, outputs=outputs), Request(), tmp_path / "m.onnx")
    assert (made.labels, made.columns, made.drawn) == ((), ("x0", "x1"), True)
    whole, one = made.cases
    assert whole.feeds["features"].dtype == np.float32 and len(one.feeds["features"]) == 1
    assert set(whole.answers[0]) == {asked}


def test_classes(tmp_path: Path) -> None:
    model = Fitted(loss="Logloss:weights=1", classes_=np.array(["a", "b"]), feature_names_=["one", "two"])
    made = catboost.export(model, Request({"": np.ones((3, 2))}), tmp_path / "m.onnx")
    assert (made.labels, made.columns, made.drawn) == (("a", "b"), ("one", "two"), False)
    assert made.cases[0].answers[0].tolist() == ["a"] * 3


def test_refusals(tmp_path: Path) -> None:
    with pytest.raises(ConvertError, match="numeric features only; encode categories"):
        catboost.export(Fitted(categories=(1,)), Request(), tmp_path / "m.onnx")
    with pytest.raises(ConvertError, match="cannot describe this model: no$"):
        catboost.export(Fitted(error=ValueError("no\nmore")), Request(), tmp_path / "m.onnx")


def test_a_ranker_is_asked_without_a_kind_of_answer(tmp_path: Path) -> None:
    class Ranker(Fitted):
        def predict(self, rows: Any) -> Any:  # type: ignore[override]
            return rows[:, 1]

    (case, *_) = catboost.export(Ranker(), Request(), tmp_path / "m.onnx").cases
    np.testing.assert_array_equal(case.answers[0], case.feeds["features"][:, 1])
