"""External data is found beside its model and nowhere else."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from sardonyx.base.folders import file_name, find, folders_of


def test_a_linked_model_has_two_folders(tmp_path: Path) -> None:
    store, hub = tmp_path / "store", tmp_path / "hub"
    store.mkdir()
    hub.mkdir()
    (store / "blob").write_bytes(b"")
    (hub / "m.onnx").symlink_to(store / "blob")
    assert folders_of(hub / "m.onnx", None) == (hub, store)
    assert folders_of(hub / "m.onnx", "given") == (Path("given"),)
    assert folders_of(None, None) == (Path(),)


@pytest.mark.parametrize("location", ["", "a\0b", "/etc/passwd", "../secret", "a/../../secret"])
def test_names_that_lead_out_are_no_files(location: str, tmp_path: Path) -> None:
    assert find([tmp_path], location) is None


def test_links_may_lead_into_the_folders_alone(tmp_path: Path) -> None:
    inside, outside = tmp_path / "model", tmp_path / "elsewhere"
    inside.mkdir()
    outside.mkdir()
    (inside / "link").symlink_to(outside / "w")
    assert find([inside], "link") is None
    assert find([inside, outside], "link") == outside / "w"
    assert find([inside], "sub/../w") == inside / "w"


def test_names_are_utf_8_whatever_the_system_takes_names_for(monkeypatch: pytest.MonkeyPatch) -> None:
    assert file_name("größe.data") == "größe.data"
    monkeypatch.setattr(os, "fsdecode", lambda name: name.decode("ascii", "surrogateescape"))
    assert file_name("ä.data") == "\udcc3\udca4.data"


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="names of files are bytes on Linux")
def test_files_are_found_in_the_locale_c(tmp_path: Path) -> None:
    (tmp_path / "größe.data").write_bytes(b"found")
    folder = f"[Path({str(tmp_path)!r})]"
    code = f"from sardonyx.base.folders import *; print(find({folder}, 'gr\\xf6\\xdfe.data').read_text())"
    plain = {**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    made = subprocess.run([sys.executable, "-c", code], env=plain, capture_output=True, text=True, check=True)
    assert made.stdout.strip() == "found"
