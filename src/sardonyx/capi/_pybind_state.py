"""The other module path of the exceptions and option classes; nothing is decided here."""

from __future__ import annotations

from sardonyx.capi import onnxruntime_pybind11_state


def __getattr__(name: str) -> object:
    return getattr(onnxruntime_pybind11_state, name)
