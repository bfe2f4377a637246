"""Smaller and faster models: weights and activations in 8 or 4 bits, floats in 16.

Reads an ONNX file, writes an ONNX file of standard operators (and MatMulNBits and DynamicQuantizeLSTM of
com.microsoft), and says how large, how fast and how far off the new one is.
"""

from sardonyx.compression.calibration import CalibrationError, Method
from sardonyx.compression.compression import Compressed, CompressionError, convert_precision, quantize

__all__ = [
    "CalibrationError",
    "Compressed",
    "CompressionError",
    "Method",
    "convert_precision",
    "quantize",
]
