"""ONNX models as graphs."""

from sardonyx.base.dependence import FeedDependence
from sardonyx.frontend.external import external_files, tensors_in
from sardonyx.frontend.load import FeedFacts, Loaded, Signature, load, open_model, signature
from sardonyx.frontend.specialise import specialise

__all__ = [
    "FeedDependence",
    "FeedFacts",
    "Loaded",
    "Signature",
    "external_files",
    "load",
    "open_model",
    "signature",
    "specialise",
    "tensors_in",
]
