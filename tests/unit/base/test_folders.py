"""External data is found beside its model and nowhere else."""

from __future__ import annotations

from pathlib import Path

import pytest

from sardonyx.base.folders import find, folders_of


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
