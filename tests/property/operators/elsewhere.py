"""Operators without a recipe: why, or which test draws them instead."""

from __future__ import annotations

ELSEWHERE: dict[str, str] = {
    "If": "tests/property/models.py draws branches inside of graphs",
    "Loop": "tests/property/models.py draws bodies inside of graphs",
    "Scan": "tests/property/models.py draws bodies inside of graphs",
}

NEURAL_QUANTISED_CLASSICAL_CONTRIB = """
AffineGrid Attention DFT DequantizeLinear DynamicQuantizeLinear GRU GridSample LSTM MatMulInteger
MaxRoiPool MelWeightMatrix NonMaxSuppression QLinearMatMul QuantizeLinear RNN Resize RoiAlign
RotaryEmbedding STFT Upsample ai.onnx.ml.ArrayFeatureExtractor ai.onnx.ml.Binarizer ai.onnx.ml.CastMap
ai.onnx.ml.CategoryMapper ai.onnx.ml.DictVectorizer ai.onnx.ml.FeatureVectorizer ai.onnx.ml.Imputer
ai.onnx.ml.LabelEncoder ai.onnx.ml.LinearClassifier ai.onnx.ml.LinearRegressor ai.onnx.ml.Normalizer
ai.onnx.ml.OneHotEncoder ai.onnx.ml.SVMClassifier ai.onnx.ml.SVMRegressor ai.onnx.ml.Scaler
ai.onnx.ml.TreeEnsemble ai.onnx.ml.TreeEnsembleClassifier ai.onnx.ml.TreeEnsembleRegressor
ai.onnx.ml.ZipMap ai.onnx.preview.training.Adagrad ai.onnx.preview.training.Adam
ai.onnx.preview.training.Momentum com.microsoft.Attention com.microsoft.BiasAdd com.microsoft.BiasGelu
com.microsoft.BiasSoftmax com.microsoft.BiasSplitGelu com.microsoft.CDist com.microsoft.CropAndResize
com.microsoft.DequantizeLinear com.microsoft.DynamicQuantizeLSTM com.microsoft.DynamicQuantizeMatMul
com.microsoft.EmbedLayerNormalization com.microsoft.ExpandDims com.microsoft.FastGelu
com.microsoft.FusedGemm com.microsoft.FusedMatMul com.microsoft.GatedAdd
com.microsoft.GatherBlockQuantized com.microsoft.GatherND com.microsoft.Gelu com.microsoft.GemmFastGelu
com.microsoft.GridSample com.microsoft.GroupQueryAttention com.microsoft.Inverse
com.microsoft.LinearAttentionGate com.microsoft.MRotaryEmbedding com.microsoft.MatMulBnb4
com.microsoft.MatMulInteger16 com.microsoft.MatMulIntegerToFloat com.microsoft.MatMulNBits
com.microsoft.MulInteger com.microsoft.MultiHeadAttention com.microsoft.MurmurHash3
com.microsoft.NGramRepeatBlock com.microsoft.Pad com.microsoft.QAttention
com.microsoft.QEmbedLayerNormalization com.microsoft.QGemm com.microsoft.QLinearAdd
com.microsoft.QLinearAveragePool com.microsoft.QLinearConcat com.microsoft.QLinearGlobalAveragePool
com.microsoft.QLinearLeakyRelu com.microsoft.QLinearMul com.microsoft.QLinearReduceMean
com.microsoft.QLinearSigmoid com.microsoft.QLinearSoftmax com.microsoft.QLinearWhere
com.microsoft.QuantizeLinear com.microsoft.QuickGelu com.microsoft.Range com.microsoft.RotaryEmbedding
com.microsoft.ScaledSiLU com.microsoft.SparseToDenseMatMul com.microsoft.Tokenizer
com.microsoft.TransposeMatMul com.microsoft.Trilu com.microsoft.UnfoldTensor com.microsoft.Unique
"""
MISSING = frozenset(NEURAL_QUANTISED_CLASSICAL_CONTRIB.split())
"""Operators whose recipe is still to be written."""
