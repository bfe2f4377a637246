"""Operators without a recipe: why, or which test draws them instead."""

from __future__ import annotations

ELSEWHERE: dict[str, str] = {
    "If": "tests/property/models.py draws branches inside of graphs",
    "Loop": "tests/property/models.py draws bodies inside of graphs",
    "Scan": "tests/property/models.py draws bodies inside of graphs",
}

NEURAL_QUANTISED_CLASSICAL_CONTRIB = """
ai.onnx.ml.ArrayFeatureExtractor ai.onnx.ml.Binarizer ai.onnx.ml.CastMap ai.onnx.ml.CategoryMapper
ai.onnx.ml.DictVectorizer ai.onnx.ml.FeatureVectorizer ai.onnx.ml.Imputer ai.onnx.ml.LabelEncoder
ai.onnx.ml.LinearClassifier ai.onnx.ml.LinearRegressor ai.onnx.ml.Normalizer ai.onnx.ml.OneHotEncoder
ai.onnx.ml.SVMClassifier ai.onnx.ml.SVMRegressor ai.onnx.ml.Scaler ai.onnx.ml.TreeEnsemble
ai.onnx.ml.TreeEnsembleClassifier ai.onnx.ml.TreeEnsembleRegressor ai.onnx.ml.ZipMap
ai.onnx.preview.training.Adagrad ai.onnx.preview.training.Adam ai.onnx.preview.training.Momentum
com.microsoft.SparseToDenseMatMul
"""
MISSING = frozenset(NEURAL_QUANTISED_CLASSICAL_CONTRIB.split())
"""Operators whose recipe is still to be written."""
