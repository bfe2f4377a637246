"""The names of the package are imported when they are used."""

from __future__ import annotations

import subprocess
import sys

import pytest

from sardonyx import vision

CODE = "import sys, sardonyx.vision; print('sklearn' in sys.modules, 'PIL' in sys.modules)"


def test_nothing_heavy_is_imported_before_its_time() -> None:
    told = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    assert told.stdout.split() == ["False", "False"]
    assert all(getattr(vision, name).__name__ == name for name in vision.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = vision.nothing
