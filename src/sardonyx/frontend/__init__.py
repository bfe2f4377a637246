"""ONNX models as graphs."""

from sardonyx.frontend.load import Loaded, load

__all__ = ["Loaded", "load"]
