"""`sardonyx vision train` writes all of its files, or none and says why."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from pathlib import Path

import pytest

from sardonyx.tools.cli import main
from sardonyx.tools.commands import vision
from sardonyx.zoo import pull
from tests.vision.conftest import shapes as shapes


@pytest.fixture
def small_files() -> Iterator[None]:
    """As if the disk were full: no file may grow beyond a megabyte; the zoo has the backbone already."""
    pull("efficientnet_lite0")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, limits[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)


@pytest.mark.slow
def test_the_command_writes_all_or_nothing(
    shapes: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    small_files: None,
) -> None:
    monkeypatch.setenv("SARDONYX_CACHE", "off")
    words = ["vision", "train", str(shapes), "--backbone", "efficientnet_lite0", "--views", "1"]
    out = tmp_path / "out"
    out.mkdir()
    assert main([*words, "-o", str(out / "m.onnx")]) == 1
    assert "m.onnx cannot be written: File too large; nothing was kept" in capsys.readouterr().err
    assert list(out.iterdir()) == []


def test_what_makes_no_sense_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([vision.__name__.rpartition(".")[2], "train", str(tmp_path), "--threads", "-1"]) == 1
    assert "--threads -1" in capsys.readouterr().err
    assert main(["vision", "train", str(tmp_path / "none")]) == 1
    assert "there is no" in capsys.readouterr().err
