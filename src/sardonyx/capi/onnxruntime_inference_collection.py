"""The module path under which existing code finds the session classes; nothing is decided here."""

from __future__ import annotations

from sardonyx.runtime.binding import IOBinding
from sardonyx.runtime.ortvalue import OrtDevice, OrtValue
from sardonyx.runtime.providers import normalize as check_and_normalize_provider_args
from sardonyx.runtime.session import InferenceSession, Session

__all__ = [
    "IOBinding",
    "InferenceSession",
    "OrtDevice",
    "OrtValue",
    "Session",
    "check_and_normalize_provider_args",
]
