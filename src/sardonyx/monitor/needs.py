"""Libraries that only the heavy half of the monitors needs, asked for when they are needed.

Decides the sentence for a missing one. Must not import any.
"""

from __future__ import annotations

import importlib.util


class MissingLibraryError(RuntimeError):
    """A library of the extra `monitor` is not installed."""


def need(module: str, purpose: str) -> None:
    """Nothing if the module is installed; raises MissingLibraryError, which says what to install."""
    if importlib.util.find_spec(module) is None:
        raise MissingLibraryError(f"{purpose} needs {module}: pip install 'sardonyx[monitor]'")
