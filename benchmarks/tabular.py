"""Measure models of scikit-learn, LightGBM and XGBoost beside onnxruntime, at one row and at many.

    python benchmarks/tabular.py [--rows 1,1000,10000] [--threads 1] [--seconds 1.0] [NAME ...]

How it is measured: see `sardonyx.tools.bench`. Each run takes other rows than the one before it.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnxmltools
from lightgbm import LGBMClassifier
from onnxmltools.convert.common.data_types import FloatTensorType as BoostedInput
from skl2onnx import convert_sklearn
from skl2onnx.common.data_types import FloatTensorType, StringTensorType
from sklearn.compose import ColumnTransformer
from sklearn.datasets import make_classification
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import SVC
from subjects import in_turn
from xgboost import XGBClassifier

from sardonyx.tools import bench

Array = np.ndarray[Any, Any]
FEATURES, SAMPLES, WORDS = 30, 4000, 5
COLORS = np.array(["red", "green", "blue", "black", "white"], dtype=object)


def main() -> None:
    """Print a line for each model and number of rows."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("names", nargs="*", default=list(MODELS), help="which models (default: all)")
    parser.add_argument("--rows", default="1,1000,10000", help="numbers of rows, by comma")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=1.0, help="per engine, model and number of rows")
    options = parser.parse_args()
    numbers, words, y = table()
    with tempfile.TemporaryDirectory() as folder:
        for name in options.names:
            path = Path(folder) / f"{name}.onnx"
            path.write_bytes(MODELS[name](numbers, words, y).SerializeToString())
            for rows in map(int, options.rows.split(",")):
                columns = {"numbers": numbers} | ({"words": words} if name == "words" else {})
                feeds = in_turn(rows, columns)
                row = bench.compare(path, feeds, threads=options.threads, seconds=options.seconds)
                ours, peer = (timing.median_us for timing in row.timings)
                print(
                    f"{name:18} {rows:7} rows {ours:12.1f} us  onnxruntime {peer:12.1f} us {row.speed:6.2f}x"
                )


def table() -> tuple[Array, Array, Array]:
    """Numbers float32 [SAMPLES, FEATURES], words [SAMPLES, WORDS], and two classes that they foretell."""
    x, y = make_classification(SAMPLES, FEATURES, n_informative=FEATURES // 2, random_state=0)
    words = COLORS[np.random.default_rng(0).integers(0, len(COLORS), (SAMPLES, WORDS))]
    return x.astype(np.float32), words, y


def _sklearn(model: Any) -> Callable[[Array, Array, Array], Any]:
    def make(numbers: Array, _: Array, y: Array) -> Any:
        types = [("numbers", FloatTensorType([None, FEATURES]))]
        return convert_sklearn(
            model.fit(numbers, y), initial_types=types, options={"zipmap": False}, target_opset=17
        )

    return make


def _boosted(model: Any, convert: Callable[..., Any], **options: Any) -> Callable[[Array, Array, Array], Any]:
    def make(numbers: Array, _: Array, y: Array) -> Any:
        types = [("numbers", BoostedInput([None, FEATURES]))]
        return convert(model.fit(numbers, y), initial_types=types, target_opset=15, **options)

    return make


def _words(numbers: Array, words: Array, y: Array) -> Any:
    """A logistic regression over numbers and one-hot words."""
    columns = [
        ("numbers", StandardScaler(), slice(0, FEATURES)),
        ("words", OneHotEncoder(), slice(FEATURES, FEATURES + WORDS)),
    ]
    model = make_pipeline(ColumnTransformer(columns), LogisticRegression())
    types = [
        ("numbers", FloatTensorType([None, FEATURES])),
        ("words", StringTensorType([None, WORDS])),
    ]
    rows = np.concatenate([numbers.astype(object), words], axis=1)
    return convert_sklearn(
        model.fit(rows, y), initial_types=types, options={"zipmap": False}, target_opset=17
    )


MODELS: Mapping[str, Callable[[Array, Array, Array], Any]] = {
    "logistic": _sklearn(make_pipeline(StandardScaler(), LogisticRegression())),
    "words": _words,
    "forest": _sklearn(RandomForestClassifier(100, random_state=0)),
    "gradient_boosting": _sklearn(GradientBoostingClassifier(random_state=0)),
    "lightgbm": _boosted(
        LGBMClassifier(n_estimators=500, verbose=-1), onnxmltools.convert_lightgbm, zipmap=False
    ),
    "xgboost": _boosted(XGBClassifier(n_estimators=200), onnxmltools.convert_xgboost),
    "neighbours": _sklearn(KNeighborsClassifier()),
    "svm": _sklearn(SVC(probability=True, random_state=0)),
}

if __name__ == "__main__":
    main()
