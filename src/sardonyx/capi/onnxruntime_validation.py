"""The module path under which tools ask for name and version of the package; nothing is decided here."""

from __future__ import annotations

from sardonyx.ort.environment import get_version_string


def get_package_name_and_version_info() -> tuple[str, str, str]:
    """Package, version, and an empty text where onnxruntime names its CUDA version."""
    return "sardonyx", get_version_string(), ""


def check_distro_info() -> None:
    """Nothing to check: every system that starts the package runs it."""
