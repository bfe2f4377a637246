"""Code that a wheel brings along is used only if it belongs to the sources around it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from sardonyx.base.dataclass import replace
from sardonyx.object import shipped
from sardonyx.targets.x86_64 import isa

TITLE = ("contraction f32 0", isa.V4, "fp32")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setattr(shipped, "FOLDER", tmp_path)
    shipped._index.cache_clear()
    yield tmp_path
    shipped._index.cache_clear()


def test_what_was_written_is_found(folder: Path) -> None:
    shipped.write(folder, {TITLE: b"code", ("other", isa.V3, "fp32"): b"more"})
    assert shipped.find(*TITLE) == b"code"
    assert shipped.find("other", isa.V4, "fp32") is None


@pytest.mark.usefixtures("folder")
def test_code_for_other_facts_of_a_target_is_not_used() -> None:
    shipped.write(shipped.FOLDER, {TITLE: b"code"})
    wide = replace(isa.V4, channel_block=32)
    assert shipped.find("contraction f32 0", wide, "fp32") is None


def test_code_of_other_sources_is_not_used(folder: Path) -> None:
    shipped.write(folder, {TITLE: b"code"})
    index = folder / "index.json"
    told = json.loads(index.read_text())
    index.write_text(json.dumps({**told, "sources": "others"}))
    assert shipped.find(*TITLE) is None


@pytest.mark.parametrize("damage", ["absent", "no json", "no file"])
def test_a_damaged_folder_has_nothing(folder: Path, damage: str) -> None:
    shipped.write(folder, {TITLE: b"code"})
    if damage == "absent":
        (folder / "index.json").unlink()
    elif damage == "no json":
        (folder / "index.json").write_text("{")
    else:
        for file in folder.glob("*.o"):
            file.unlink()
    assert shipped.find(*TITLE) is None


def test_sources_are_one_digest() -> None:
    assert shipped.sources() == shipped.sources()
    assert len(shipped.sources()) == 64
