"""Convert a scikit-learn pipeline over numbers and words, run it here, and compare.

Usage: python examples/tabular.py (needs scikit-learn and skl2onnx)
"""

from __future__ import annotations

import numpy as np
from skl2onnx import convert_sklearn
from skl2onnx.common.data_types import FloatTensorType, StringTensorType
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_wine
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import sardonyx

if __name__ == "__main__":
    numbers, vineyard = load_wine(return_X_y=True)
    strength = np.where(numbers[:, :1] > 13, "strong", "light").astype(object)
    table = np.concatenate([numbers[:, 1:].astype(object), strength], axis=1)

    columns = [("numbers", StandardScaler(), slice(0, 12)), ("words", OneHotEncoder(), [12])]
    pipeline = make_pipeline(ColumnTransformer(columns), LogisticRegression())
    pipeline.fit(table[::2], vineyard[::2])

    types = [("numbers", FloatTensorType([None, 12])), ("words", StringTensorType([None, 1]))]
    model = convert_sklearn(pipeline, initial_types=types, options={"zipmap": False}, target_opset=21)
    session = sardonyx.InferenceSession(model.SerializeToString())

    feeds = {"numbers": table[1::2, :12].astype(np.float32), "words": table[1::2, 12:]}
    label, probability = session.run(None, feeds)
    apart = np.abs(probability - pipeline.predict_proba(table[1::2])).max()
    print(f"{np.mean(label == vineyard[1::2]):.0%} right; at most {apart:.1e} from scikit-learn")
    print(session.explain())
