"""ONNX models as graphs."""

from sardonyx.frontend.load import Known, Loaded, Signature, load, open_model, signature
from sardonyx.frontend.specialise import Needs, specialise

__all__ = ["Known", "Loaded", "Needs", "Signature", "load", "open_model", "signature", "specialise"]
