"""What the cache holds of each model, and what goes with a model that is removed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from sardonyx.base.knobs import CompileOptions
from sardonyx.runtime.cache import Cache
from sardonyx.store import contents
from sardonyx.store.loader import load_program
from sardonyx.tools.cli import main
from tests.unit.runtime.programs import scaled
from tests.unit.stocked import stocked


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cache]:
    monkeypatch.setenv("SARDONYX_CACHE", str(stocked(tmp_path / "cache")))
    yield Cache(tmp_path / "cache")


def keep(folder: Path, name: str, seed: int, **options: str) -> Path:
    path = folder / name
    path.write_bytes(scaled(seed))
    load_program(path, CompileOptions.resolve(**options))
    return path


def test_models_are_told_with_their_sizes(cache: Cache, tmp_path: Path) -> None:
    assert contents.kept(cache) == []
    first, second = keep(tmp_path, "a.onnx", 0), keep(tmp_path, "b.onnx", 1)
    keep(tmp_path, "a.onnx", 0, precision="strict")
    found = {model.name: model for model in contents.kept(cache)}
    assert found.keys() == {str(first), str(second)}
    assert (found[str(first)].programs, found[str(second)].programs) == (2, 1)
    for model in found.values():
        assert min(model.plan_bytes, model.code_bytes, model.weight_bytes) > 0
    sizes = sum(entry.size_bytes for kind in ("plan", "image", "weights") for entry in cache.entries(kind))
    assert sum(m.size_bytes for m in found.values()) >= sizes
    assert contents.shared_bytes(cache) > 0


def test_what_another_model_needs_stays(cache: Cache, tmp_path: Path) -> None:
    keep(tmp_path, "a.onnx", 0)
    keep(tmp_path, "b.onnx", 1)  # the same code, other weights
    first, second = contents.kept(cache)
    assert contents.forget(cache, [first]) > 0
    (left,) = contents.kept(cache)
    assert (left.digest, left.code_bytes, left.weight_bytes) == (
        second.digest,
        second.code_bytes,
        second.weight_bytes,
    )
    contents.forget(cache, [left])
    assert not [entry for kind in ("plan", "image", "weights") for entry in cache.entries(kind)]


def test_the_command_lists_and_empties(
    cache: Cache, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = keep(tmp_path, "a.onnx", 0)
    keep(tmp_path, "b.onnx", 1)
    assert main(["cache"]) == 0
    assert str(first) in capsys.readouterr().out
    assert main(["cache", "--clear", "a.onnx", "--json"]) == 0
    (model,) = json.loads(capsys.readouterr().out)["models"]
    assert model["model"] == str(tmp_path / "b.onnx")
    assert main(["cache", "--clear", model["digest"][:8]]) == 0
    assert main(["cache", "--limit", "1.5 MB", "--clear"]) == 0
    assert "of at most 1.5 MB" in capsys.readouterr().out
    assert Cache(cache.root).limit_bytes == 1_500_000
    assert not list((cache.root / "object").glob("*/*"))


@pytest.mark.parametrize("arguments", [["--clear", "nosuch.onnx"], ["--limit", "much"]])
def test_what_cannot_be_met_is_said(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cache", *arguments]) == 1
    assert capsys.readouterr().err.startswith("sardonyx cache: ")


def test_a_cache_that_is_off_has_nothing_to_show(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SARDONYX_CACHE", "off")
    assert main(["cache"]) == 1
    assert "the cache is off" in capsys.readouterr().err
