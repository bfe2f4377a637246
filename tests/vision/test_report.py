"""The report calls pictures by the names that it is given."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from sardonyx.vision import report
from sardonyx.vision.boxes import report as of_boxes
from sardonyx.vision.boxes.precision import Boxes

BOX = Boxes(np.array([[0.1, 0.1, 0.6, 0.6]]), np.array([0]), np.array([0.9]))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    Image.new("RGB", (20, 10)).save(tmp_path / "0f3a.png")
    return tmp_path / "0f3a.png"


@pytest.mark.parametrize(
    ("names", "said"), [({}, "0f3a.png"), ({"0f3a.png": "my <cat>.png"}, "my &lt;cat&gt;.png")]
)
def test_names_of_pictures(names: dict[str, str], said: str, file: Path) -> None:
    labels: Any = SimpleNamespace(
        pictures=SimpleNamespace(files=(file,), several=False),
        classes=("cat", "dog"),
        truth=np.array([[True, False]]),
        chances=np.array([[0.2, 0.8]]),
        wrong=lambda: [0],
    )
    assert f"<figcaption>{said}: cat, taken for dog 80%<" in report._mistaken(labels, names)
    boxes: Any = SimpleNamespace(
        scenes=SimpleNamespace(files=(file,), classes=("cat",)),
        judged=(0,),
        true=lambda at: BOX,
        shown=lambda at: BOX,
        faults=lambda at: 0,
    )
    assert f"<figcaption>{said}: drawn 1 cat, found 1 cat<" in of_boxes._pictures(boxes, names)
