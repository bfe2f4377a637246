"""Read the printed lines of a photographed page with the PP-OCRv4 detector and reader.

Usage: python examples/read_text.py [PICTURE]

Both models run at every size they meet: the detector at the size of the page, the reader at the width of each
line, without being compiled again. The same is done with onnxruntime if it is installed.
"""

from __future__ import annotations

import importlib.util
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from PIL import Image

import sardonyx
from sardonyx import zoo

DETECTOR, READER = "ppocrv4_det", "ppocrv4_rec"
LINE_HEIGHT, TEXT_THRESHOLD, GROWTH = 48, 0.3, 1.9
MIN_PIXELS = 60
REPEATS = 5
Box = tuple[int, int, int, int]


@dataclass
class Reading:
    """What one engine read: (text, confidence) per line, and its times in milliseconds."""

    lines: list[tuple[str, float]]
    open_ms: float
    find_ms: float
    read_ms: float


def main() -> int:
    """Print the lines of the page, the times, and the peer's times beside them."""
    paths = zoo.fetch([DETECTOR, READER])
    picture = Path(sys.argv[1]) if len(sys.argv) > 1 else zoo.zoo_directory() / "assets" / "page.png"
    page = Image.open(picture).convert("RGB")
    print(f"\n  {picture.name}, {page.width} x {page.height} pixels ({picture})\n", flush=True)
    ours = read_page(sardonyx, paths, page)
    for text, confidence in ours.lines:
        print(f"  │ {text:<56} {confidence:5.1%}")
    print(f"\n  {'':22}{'open models':>13}{'find lines':>12}{f'read {len(ours.lines)} lines':>14}")
    print_times(f"sardonyx {sardonyx.__version__}", ours)
    if importlib.util.find_spec("onnxruntime") is None:
        print("\n  Install onnxruntime to see its times beside these.\n")
        return 0
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    import onnxruntime

    peer = read_page(onnxruntime, paths, page)
    print_times(f"onnxruntime {onnxruntime.__version__}", peer)
    same = [text for text, _ in ours.lines] == [text for text, _ in peer.lines]
    print(f"\n  {'Both read the same text.' if same else 'They read different text:'}\n")
    for text, confidence in () if same else peer.lines:
        print(f"  │ {text:<56} {confidence:5.1%}")
    return 0 if same else 1


def print_times(engine: str, reading: Reading) -> None:
    """One row of the table."""
    print(
        f"  {engine:22}{reading.open_ms:10.0f} ms{reading.find_ms:9.1f} ms{reading.read_ms:11.1f} ms",
        flush=True,
    )


def read_page(engine: ModuleType, paths: dict[str, Path], page: Image.Image) -> Reading:
    """Find and read the lines with an engine that has the onnxruntime API."""
    started = time.perf_counter()
    detector = engine.InferenceSession(str(paths[DETECTOR]))
    reader = engine.InferenceSession(str(paths[READER]))
    open_ms = 1e3 * (time.perf_counter() - started)
    alphabet = ["", *reader.get_modelmeta().custom_metadata_map["character"].splitlines(), " "]

    # The detector wants sizes in steps of 32 and letters of some 20 pixels.
    width, height = (max(32, 32 * round(side * 2 / 32)) for side in page.size)
    image = network_input(page.resize((width, height), Image.Resampling.BICUBIC))
    heat, find_ms = timed(detector, image)
    scale = np.array([page.width / width, page.height / height] * 2)
    boxes = [tuple(np.array(box) * scale) for box in boxes_of(heat[0, 0] > TEXT_THRESHOLD)]

    lines, read_ms = [], 0.0
    for box in boxes:
        line = page.crop(tuple(round(side) for side in box))
        wide = max(LINE_HEIGHT, round(line.width * LINE_HEIGHT / line.height))
        letters, took = timed(
            reader, network_input(line.resize((wide, LINE_HEIGHT), Image.Resampling.BICUBIC))
        )
        lines.append(decode(letters[0], alphabet))
        read_ms += took
    return Reading(lines, open_ms, find_ms, read_ms)


def network_input(image: Image.Image) -> np.ndarray[Any, np.dtype[np.float32]]:
    """[1, 3, height, width], blue first, -1 to 1"""
    pixels = np.asarray(image, np.float32)[:, :, ::-1] / 127.5 - 1
    return np.ascontiguousarray(pixels.transpose(2, 0, 1)[None])


def timed(session: Any, image: np.ndarray[Any, Any]) -> tuple[np.ndarray[Any, Any], float]:
    """The first output, and the median milliseconds of a few runs."""
    feeds = {session.get_inputs()[0].name: image}
    times = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        (result,) = session.run(None, feeds)
        times.append(1e3 * (time.perf_counter() - started))
    return result, sorted(times)[REPEATS // 2]


def boxes_of(mask: np.ndarray[Any, Any]) -> list[Box]:
    """Boxes (left, top, right, bottom) around the connected regions, top to bottom, grown to whole letters.

    The detector marks the core of a line only, so that lines stay apart.
    """
    regions: list[tuple[int, Box]] = []
    left_to_visit = {(int(y), int(x)) for y, x in np.argwhere(mask)}
    while left_to_visit:
        stack, region = [left_to_visit.pop()], []
        while stack:
            y, x = stack.pop()
            region.append((y, x))
            near = {(y + 1, x), (y - 1, x), (y, x + 1), (y, x - 1)} & left_to_visit
            left_to_visit -= near
            stack += near
        (top, left), (bottom, right) = np.min(region, 0), np.max(region, 0)
        grow = round(GROWTH * len(region) / (2 * (bottom - top + right - left) + 1))
        if len(region) >= MIN_PIXELS:
            regions.append((top + bottom, (left - grow, top - grow, right + grow, bottom + grow)))
    return [box for _, box in sorted(regions)]


def decode(scores: np.ndarray[Any, Any], alphabet: list[str]) -> tuple[str, float]:
    """Best letter per step, repeats merged, blanks dropped; with the mean confidence of the letters kept."""
    best = scores.argmax(1)
    kept = (best != 0) & (best != np.concatenate([[-1], best[:-1]]))
    confidence = float(scores.max(1)[kept].mean()) if kept.any() else 0.0
    return "".join(alphabet[index] for index in best[kept]), confidence


if __name__ == "__main__":
    sys.exit(main())
