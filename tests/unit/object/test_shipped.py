"""Code that a wheel brings along is used only if it belongs to the sources around it."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

import pytest

import sardonyx
from sardonyx.base.dataclass import replace
from sardonyx.base.policy import Policy
from sardonyx.compiler.shared import shared_modules
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
    assert shipped.find(*TITLE, shipped.sources) == b"code"
    assert shipped.find("other", isa.V4, "fp32", shipped.sources) is None


@pytest.mark.usefixtures("folder")
def test_code_for_other_facts_of_a_target_is_not_used() -> None:
    shipped.write(shipped.FOLDER, {TITLE: b"code"})
    wide = replace(isa.V4, channel_block=32)
    assert shipped.find("contraction f32 0", wide, "fp32", shipped.sources) is None


def test_code_of_other_sources_is_not_used(folder: Path) -> None:
    shipped.write(folder, {TITLE: b"code"})
    index = folder / "index.json"
    told = json.loads(index.read_text())
    index.write_text(json.dumps({**told, "sources": "others"}))
    assert shipped.find(*TITLE, shipped.sources) is None


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
    assert shipped.find(*TITLE, shipped.sources) is None


def test_sources_are_known_by_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for folder in shipped._SOURCES:
        (tmp_path / folder / "deeper").mkdir(parents=True)
        (tmp_path / folder / "deeper" / "x.py").write_text("a = 1")
    monkeypatch.setattr(shipped, "__file__", str(tmp_path / "object" / "shipped.py"))
    digest = shipped.sources()
    assert digest == shipped.sources()
    for folder in shipped._SOURCES:
        file = tmp_path / folder / "deeper" / "x.py"
        file.write_text("a = 2")
        assert shipped.sources() != digest, "of the same size"
        file.write_text("a = 1")
        assert shipped.sources() == digest


def test_all_that_writes_shared_texts_is_among_the_sources() -> None:
    seen: set[str] = set()

    def note(frame: FrameType, event: str, _: object) -> None:
        if event == "call":
            seen.add(frame.f_code.co_filename)

    sys.setprofile(note)
    try:
        for text in shared_modules(isa.V3, "fp32").values():
            text.of(text.goal(isa.V3, Policy()))
    finally:
        sys.setprofile(None)
    root = Path(sardonyx.__file__).parent
    folders = {Path(name).relative_to(root).parts[0] for name in seen if name.startswith(str(root))}
    assert {"kernels", "emit", "llvm"} <= folders
    assert folders <= {*shipped._SOURCES, "compiler"}, "`compiler` says only which there are"
