"""A folder of the zoo with small pictures and vocabularies in the place of the real ones."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sardonyx.zoo import text


@pytest.fixture
def made_up_zoo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    folder = tmp_path / "zoo" / "assets"
    folder.mkdir(parents=True)
    monkeypatch.setenv("SARDONYX_ZOO", str(folder.parent))
    for name, size in (("chelsea.png", 40), ("astronaut.png", 512), ("coffee.png", 30), ("page.png", 300)):
        ramp = np.linspace(0, 255, size * size * 3).reshape(size, size, 3).astype(np.uint8)
        Image.fromarray(ramp).save(folder / name)
    voice = {"phoneme_id_map": {"_": [0], "^": [1], "$": [2], "ð": [7], "ə": [8, 9]}}
    voice |= {"audio": {"sample_rate": 100}, "espeak": {"voice": "en-x"}}
    (folder / "joe_voice.json").write_text(json.dumps(voice), encoding="utf-8")
    for name in ("rawi.vocab.json", "rawi_v2.vocab.json"):
        (folder / name).write_text(json.dumps({"char_to_idx": {" ": 5, "ق": 6}}), encoding="utf-8")
    text._vocabulary.cache_clear()
    yield folder.parent
    text._vocabulary.cache_clear()
