"""The Python that has tritonclient and kserve: they want an older protobuf than the developers' tools do."""

from __future__ import annotations

from pathlib import Path

_INSTALLED = Path(__file__).parents[2] / ".venv" / "clients" / "bin" / "python"

PYTHON = _INSTALLED if _INSTALLED.exists() else None
REASON = "tritonclient and kserve are not installed: make clients"
