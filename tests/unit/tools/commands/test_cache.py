"""`sardonyx cache` shows what is kept of each model, sets the limit and removes what is named."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sardonyx import InferenceSession
from sardonyx.runtime.cache import Cache
from sardonyx.store.contents import Kept
from sardonyx.tools.commands import cache
from sardonyx.tools.console import UserError
from tests.unit.tools.commands.running import run

MODELS = [
    Kept("abcdef12", "/m/a.onnx", 2, 10, 20, 30, 0.0),
    Kept("abcdef99", "/n/a.onnx"),
    Kept("ffffff00", "b.onnx"),
]


@pytest.mark.parametrize(
    ("text", "size"),
    [("7", 7), ("1.5kB", 1500), ("500MB", 500_000_000), (" 8 g ", 8_000_000_000), ("1TB", 10**12)],
)
def test_sizes(text: str, size: int) -> None:
    assert cache.parsed(text) == size


@pytest.mark.parametrize("text", ["", "MB", "-1", "1EB", "1 kilobyte"])
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(UserError, match=r"give a size such as 500MB or 8GB"):
        cache.parsed(text)


def test_models_by_path_name_and_digest() -> None:
    assert cache.named(MODELS, "/m/a.onnx") == [MODELS[0]]
    assert cache.named(MODELS, "a.onnx") == MODELS[:2]
    assert cache.named(MODELS, "abcdef") == MODELS[:2] and cache.named(MODELS, "abcdef9") == [MODELS[1]]
    for name in ("abcde", "c.onnx", ""):
        with pytest.raises(UserError, match=f"the cache has no model {name};"):
            cache.named(MODELS, name)


def test_what_is_told(tmp_path: Path) -> None:
    kept = Cache(tmp_path)
    told = cache.document(kept, MODELS, 5)
    assert (told["bytes"], told["shared_bytes"], told["folder"]) == (65, 5, str(tmp_path))
    assert told["models"][0] | {"used": 0} == {
        "model": "/m/a.onnx", "digest": "abcdef12", "programs": 2, "bytes": 60, "weight_bytes": 30,
        "code_bytes": 20, "used": 0,
    }  # fmt: skip
    lines = cache.text(kept, MODELS, 5).splitlines()
    assert lines[0].split() == ["size", "weights", "code", "programs", "used", "digest", "model"]
    assert lines[1].split()[:6] == ["60", "B", "30", "B", "20", "B"] and lines[1].endswith(
        "abcdef12  /m/a.onnx (no longer there)"
    )
    assert f"{tmp_path}: 65 B of at most" in lines[-2]
    assert cache.text(kept, [], 5).splitlines()[0] == f"{tmp_path}: 5 B of at most 8.59 GB"


def test_it_is_emptied(
    model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SARDONYX_CACHE", str(tmp_path / "cache"))
    InferenceSession(model)
    assert run(cache, "cache", "--limit", "2MB", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["limit_bytes"] == 2_000_000 and [row["model"] for row in told["models"]] == [model]
    assert run(cache, "cache", "--clear", "net.onnx") == 0
    out = capsys.readouterr().out
    assert out.startswith("removed ") and not out.startswith("removed 0") and "net.onnx" not in out
    assert run(cache, "cache", "--clear") == 0
    assert "shared: 0 B" in capsys.readouterr().out.replace("share: ", "shared: ")
    monkeypatch.setenv("SARDONYX_CACHE", "off")
    with pytest.raises(UserError, match=r"the cache is off \(SARDONYX_CACHE\)"):
        run(cache, "cache")
