"""What of the package a cached program depends on."""

from __future__ import annotations

import tomllib
from pathlib import Path

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
