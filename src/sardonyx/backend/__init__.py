"""ONNX's backend interface: prepare a model, run it, ask for devices; nothing is decided here."""

from sardonyx.backend.backend import is_compatible as is_compatible
from sardonyx.backend.backend import prepare as prepare
from sardonyx.backend.backend import run as run
from sardonyx.backend.backend import run_model as run_model
from sardonyx.backend.backend import supports_device as supports_device
from sardonyx.backend.backend_rep import OnnxRuntimeBackendRep as OnnxRuntimeBackendRep
