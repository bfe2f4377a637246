"""Module paths of onnxruntime that existing code imports; nothing is decided here."""

from sardonyx.capi import onnxruntime_pybind11_state as onnxruntime_pybind11_state
