"""What of the package a cached program depends on."""

from __future__ import annotations

import tomllib
from pathlib import Path

import numpy as np
import pytest

from sardonyx.runtime.cache import Cache
from sardonyx.store import identity

_ROOT = Path(__file__).parents[3]


def test_all_layers_above_the_store_are_left_out_and_no_other() -> None:
    settings = tomllib.loads((_ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    layers = settings["tool"]["importlinter"]["contracts"][0]["layers"]
    above = layers[: layers.index("store")]
    assert {name for layer in above for name in layer.split(" | ")} == identity.ABOVE


def test_sources_are_those_of_the_engine_at_any_depth(tmp_path: Path) -> None:
    kept = ["version.py", "ops/onnx/train.py", "ops/client/x.py", "object/executor.ll", "ops/homes.json"]
    gone = ["serve/core.py", "alias.py", "ops/__pycache__/x.pyc", "py.typed", "zoo/manifest.json"]
    for name in [*kept, *gone]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    found = [
        Path(path).relative_to(tmp_path) for path, _, _ in identity._sources(str(tmp_path), identity.ABOVE)
    ]
    assert sorted(found) == sorted(map(Path, kept))


def test_a_digest_that_was_made_in_another_way_is_not_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, store = tmp_path / "m.onnx", Cache(tmp_path / "cache")
    file.write_bytes(bytes(range(200)))
    monkeypatch.setattr(identity, "_HASHED_EACH_TIME", 100)
    monkeypatch.setattr(identity, "_SETTLED_NS", 0)
    identity.file_digest(file, store, lambda _: "of another release")
    monkeypatch.setattr(identity.digests, "WAY", "now")
    model = identity.Model(file, None, store)
    assert model.digest == identity.digests.file_digest(file)
    assert model.content() is not None


@pytest.mark.parametrize("as_bytes", [False, True])
def test_what_lies_in_the_model_is_known_by_its_place(as_bytes: bool, tmp_path: Path) -> None:
    file = tmp_path / "m.onnx"
    file.write_bytes(bytes(range(200)))
    model = identity.Model(file.read_bytes() if as_bytes else file, None, Cache(None))
    content = model.content()
    assert content is not None
    assert not content.flags.writeable
    inside = content[8:40].view(np.float32).reshape(2, 4)
    assert model.place_of(inside) == f"{model.digest} 8"
    assert model.place_of(content[1:]) == f"{model.digest} 1"
    assert model.place_of(inside.copy()) is None
    assert model.place_of(inside.T) is None, "other numbers than are there"
    again = model.content()
    assert (model.place_of(inside) is None) is not as_bytes, "a file was read anew"
    assert again is not None
    assert model.place_of(again[:4]) == f"{model.digest} 0"
