"""Features are those of the picture, are kept, and are made anew where what was kept is broken."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sardonyx.vision.features import Features
from sardonyx.vision.network import BACKBONES
from sardonyx.vision.pictures import opened


@pytest.mark.slow
def test_features_are_kept_by_content(shapes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SARDONYX_CACHE", str(tmp_path / "cache"))
    files = [shapes / "disc" / f"{at}.png" for at in range(2)]
    maker = Features(BACKBONES["efficientnet_lite0"], "stretch")
    seen: list[int] = []
    rows = maker.of_files(files, 2, lambda done, total: seen.append(done))
    assert rows.shape[:2] == (2, 2) and seen == [0, 1]
    assert np.array_equal(rows[1, 0], maker.of_pixels(opened(files[1])))
    assert not np.allclose(rows[:, 0], rows[:, 1])
    kept = sorted((tmp_path / "cache" / "vision").rglob("*.npy"))
    assert len(kept) == 2
    np.save(kept[0], np.zeros((2, rows.shape[2]), np.float32))
    kept[1].write_bytes(b"broken")
    again = maker.of_files(files, 2)
    changed = [not np.array_equal(old, new) for old, new in zip(rows, again, strict=True)]
    assert sum(changed) == 1 and not again[changed.index(True)].any()
