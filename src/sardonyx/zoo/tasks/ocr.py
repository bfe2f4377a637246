"""Reading printed lines: a detector marks them, a reader spells each."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

import sardonyx
from sardonyx.zoo.maker import Array
from sardonyx.zoo.pull import pull
from sardonyx.zoo.tasks import images
from sardonyx.zoo.tasks.answer import Answer, percent

if TYPE_CHECKING:
    from PIL import Image

DETECTOR = "ppocrv4_det"
LINE_HEIGHT, MARKED, GROWTH, LEAST_PIXELS = 48, 0.3, 1.9, 60
LONGEST_SIDE = 1920


def make(task: str, model: str) -> Callable[[Any], Answer]:
    """The pipeline."""
    detector = sardonyx.InferenceSession(str(pull(DETECTOR)))
    reader = sardonyx.InferenceSession(str(pull(model)))
    alphabet = ["", *reader.get_modelmeta().custom_metadata_map["character"].splitlines(), " "]

    def run(source: Any) -> Answer:
        page = images.opened(source)
        found: list[dict[str, Any]] = []
        for box in _lines(detector, page):
            text, confidence = _spelt(reader, page.crop(box), alphabet)
            if text.strip():
                found.append({"text": text, "confidence": confidence, "box": list(box)})
        lines = [f"{percent(row['confidence']):>6}  {row['text']}" for row in found]
        marks: list[tuple[images.Box, str]] = [(tuple(row["box"]), "") for row in found]
        return Answer("\n".join(lines) or "no text found", found, images.drawn(page, marks))

    return run


def _input(image: Image.Image, width: int, height: int) -> Array:
    return images.planes(images.pixels(image, width, height)[:, :, ::-1] / 127.5 - 1)


def _lines(detector: Any, page: Image.Image) -> list[tuple[int, int, int, int]]:
    """Boxes of lines, top to bottom; the detector wants small letters larger and sizes in steps of 32."""
    times = min(2.0, LONGEST_SIDE / max(page.size))
    width, height = (max(32, 32 * round(side * times / 32)) for side in page.size)
    (heat,) = detector.run(None, {detector.get_inputs()[0].name: _input(page, width, height)})
    boxes = []
    for region in _regions(heat[0, 0] > MARKED):
        if len(region) >= LEAST_PIXELS:
            (top, left), (bottom, right) = region.min(0), region.max(0)
            grow = GROWTH * len(region) / (2 * (bottom - top + right - left) + 1)
            boxes.append((left - grow, top - grow, right + grow, bottom + grow))
    scale = np.array([page.width / width, page.height / height] * 2)
    sized = [np.round(np.clip(box * scale, 0, [*page.size] * 2)).astype(int) for box in np.array(boxes)]
    ordered = sorted(sized, key=lambda box: (box[1] + box[3], box[0]))
    return [(int(a), int(b), int(c), int(d)) for a, b, c, d in ordered if c > a and d > b]


def _regions(mask: Array) -> list[Array]:
    """The pixels [n, 2] of each connected region: runs of rows, joined where they touch."""
    padded = np.pad(mask.astype(np.int8), ((0, 0), (1, 1)))
    edges = np.argwhere(np.diff(padded, axis=1))
    runs = [(int(y), int(a), int(b)) for (y, a), (_, b) in zip(edges[::2], edges[1::2], strict=True)]
    parent = list(range(len(runs)))

    def root(at: int) -> int:
        while parent[at] != at:
            parent[at] = at = parent[parent[at]]
        return at

    above: list[int] = []
    current: list[int] = []
    row = -1
    for at, (y, start, end) in enumerate(runs):
        if y != row:
            above, current = (current if y == row + 1 else []), []
            row = y
        for other in above:
            if runs[other][1] < end and start < runs[other][2]:
                parent[root(at)] = root(other)
        current.append(at)
    groups: dict[int, list[Array]] = {}
    for at, (y, start, end) in enumerate(runs):
        columns = np.arange(start, end)
        groups.setdefault(root(at), []).append(np.stack([np.full_like(columns, y), columns], 1))
    return [np.concatenate(parts) for parts in groups.values()]


def _spelt(reader: Any, line: Image.Image, alphabet: list[str]) -> tuple[str, float]:
    """The best letter of each step, repeats merged, blanks dropped; the mean confidence of what is left."""
    width = max(LINE_HEIGHT, round(line.width * LINE_HEIGHT / line.height))
    (answer,) = reader.run(None, {reader.get_inputs()[0].name: _input(line, width, LINE_HEIGHT)})
    best = answer[0].argmax(1)
    kept = (best != 0) & (best != np.concatenate([[-1], best[:-1]]))
    confidence = float(answer[0].max(1)[kept].mean()) if kept.any() else 0.0
    return "".join(alphabet[index] for index in best[kept]), confidence
