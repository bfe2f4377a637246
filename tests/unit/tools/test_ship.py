"""What is shipped is found again by name, target and precision."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from sardonyx import targets
from sardonyx.compiler.shared import shared_modules
from sardonyx.object import shipped
from sardonyx.targets import reference
from sardonyx.targets.x86_64 import isa
from sardonyx.tools import ship


@pytest.fixture
def one_module(monkeypatch: pytest.MonkeyPatch) -> str:
    """The smallest of the modules alone, for one level of CPUs."""
    target = isa.TARGETS[0]
    name = min(shared_modules(target, "fp32"), key=len)
    monkeypatch.setattr(targets, "FAMILIES", [SimpleNamespace(targets=(target, *reference.FAMILY.targets))])
    monkeypatch.setattr(
        ship, "shared_modules", lambda level, precision: {name: shared_modules(level, precision)[name]}
    )
    return name


def test_objects_are_written_and_found(
    one_module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["ship", str(tmp_path / "shipped")])
    assert ship.main() == 0
    assert capsys.readouterr().out == f"{len(ship.PRECISIONS)} objects in {tmp_path / 'shipped'}\n"
    monkeypatch.setattr(shipped, "FOLDER", tmp_path / "shipped")
    shipped._index.cache_clear()
    try:
        text = shared_modules(isa.TARGETS[0], "fp32")[one_module]
        for precision in ship.PRECISIONS:
            target = text.goal(isa.TARGETS[0], ship.Policy(precision)).target
            code = shipped.find(one_module, target, precision, shipped.sources)
            assert code is not None and code.startswith(b"\x7fELF")
        assert shipped.find("other", isa.TARGETS[0], "fp32", shipped.sources) is None
    finally:
        shipped._index.cache_clear()


@pytest.mark.parametrize(("words", "status"), [(["--help"], 0), (["--folder"], 2), (["a", "b"], 2)])
def test_what_is_no_folder_writes_nothing(
    words: list[str], status: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["ship", *words])
    monkeypatch.setattr(ship, "write", lambda folder: pytest.fail(f"written to {folder}"))
    with pytest.raises(SystemExit) as ended:
        ship.main()
    assert ended.value.code == status
    assert not list(tmp_path.iterdir())
