"""ONNX models as graphs."""

from sardonyx.base.needs import Needs
from sardonyx.frontend.external import external_files, tensors_in
from sardonyx.frontend.load import Known, Loaded, Signature, load, open_model, signature
from sardonyx.frontend.specialise import specialise

__all__ = [
    "Known",
    "Loaded",
    "Needs",
    "Signature",
    "external_files",
    "load",
    "open_model",
    "signature",
    "specialise",
    "tensors_in",
]
