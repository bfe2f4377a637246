"""Drawn pictures of three kinds, in a folder for each."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

COLOURS = {"disc": (200, 40, 30), "square": (30, 90, 200), "cross": (40, 160, 60)}
OF_EACH = 6


def drawn(kind: str, seed: int) -> Image.Image:
    random = np.random.default_rng(seed)
    ground = random.integers(150, 255, (60, 90, 3)).astype(np.uint8)
    image = Image.fromarray(ground).resize((180, 120), 2)
    pen, (x, y) = ImageDraw.Draw(image), random.integers(10, 60, 2).tolist()
    box = (x, y, x + 50, y + 50)
    if kind == "disc":
        pen.ellipse(box, fill=COLOURS[kind])
    elif kind == "square":
        pen.rectangle(box, fill=COLOURS[kind])
    else:
        pen.line((x, y, x + 50, y + 50), fill=COLOURS[kind], width=12)
        pen.line((x, y + 50, x + 50, y), fill=COLOURS[kind], width=12)
    return image


@pytest.fixture
def shapes(tmp_path: Path) -> Path:
    folder = tmp_path / "shapes"
    for kind in COLOURS:
        (folder / kind).mkdir(parents=True)
        for at in range(OF_EACH):
            drawn(kind, at).save(folder / kind / f"{at}.png")
    return folder
