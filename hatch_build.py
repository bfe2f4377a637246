"""Fills a wheel with the machine code that all models share, where what compiles it is installed.

`make wheel` builds so. pip, which builds in an environment of its own, makes a wheel without it.
"""

from __future__ import annotations

import importlib
import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class SharedCode(BuildHookInterface[Any]):
    """Compiles into a folder of its own, which is packed with the package."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Before a wheel is packed; an editable one needs nothing."""
        if version != "standard":
            return
        sys.path.insert(0, str(Path(self.root) / "src"))
        try:
            ship = importlib.import_module("sardonyx.tools.ship")
        except ImportError as error:
            self.app.display_warning(f"no machine code is packed: {error}; see `make wheel`")
            return
        folder = Path(tempfile.mkdtemp(prefix="sardonyx-shipped-"))
        count = ship.write(folder)
        build_data["force_include"][str(folder)] = "sardonyx/object/shipped"
        self.app.display_info(f"{count} objects of machine code are packed")
