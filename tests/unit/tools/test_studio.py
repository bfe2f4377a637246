"""The studio is a server of its own process, whose pages a browser on this machine sees."""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from sardonyx.tools.console import UserError
from sardonyx.tools.studio import serve_studio


def test_pages_are_served_until_a_signal(tmp_path: Path) -> None:
    command = ["-m", "sardonyx", "vision", "studio", "--no-browser", "--home", str(tmp_path)]
    with subprocess.Popen([sys.executable, *command], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            told = process.stdout.readline()
            address = told.removeprefix("studio at ").partition(" ")[0]
            assert address.startswith("http://127.0.0.1:") and address.endswith("/console/vision")
            with urllib.request.urlopen(address, timeout=60) as answer:
                assert "New collection" in answer.read().decode()
        finally:
            process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0


@pytest.mark.parametrize(
    ("given", "words"),
    [({"source": "pictures"}, "takes no 'pictures'"), ({"port": 70000}, "--port 70000: give 0")],
)
def test_what_makes_no_sense_is_refused(given: dict[str, Any], words: str, tmp_path: Path) -> None:
    usual = {"source": None, "port": 0, "home": str(tmp_path), "database": "", "artefacts": ""}
    with pytest.raises(UserError, match=words):
        serve_studio(argparse.Namespace(**{**usual, "no_browser": True, **given}))
