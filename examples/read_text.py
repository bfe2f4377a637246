"""Read the printed lines of a photographed page with the PP-OCRv4 detector and reader.

Usage: python examples/read_text.py [--stay] [PICTURE]

Both models run at every size they meet: the detector at the size of the page, the reader at the width of each
line, without being compiled again. The same is done with onnxruntime if it is installed. Then the reader is
deployed with `sardonyx serve` and asked over REST as any client would; with --stay it goes on running.
"""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
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
ASKED = 20
Box = tuple[int, int, int, int]


@dataclass
class Reading:
    """What one engine read: (text, confidence) per line, and its times in milliseconds."""

    lines: list[tuple[str, float]]
    first_line: np.ndarray[Any, np.dtype[np.float32]]
    alphabet: list[str]
    open_ms: float
    find_ms: float
    read_ms: float


def main() -> int:
    """Print the lines of the page, the times, and the peer's times beside them."""
    paths = zoo.fetch([DETECTOR, READER])
    pictures = [argument for argument in sys.argv[1:] if not argument.startswith("--")]
    picture = Path(pictures[0]) if pictures else zoo.zoo_directory() / "assets" / "page.png"
    page = Image.open(picture).convert("RGB")
    print(f"\n  {picture.name}, {page.width} x {page.height} pixels ({picture})\n", flush=True)
    ours = read_page(sardonyx, paths, page)
    for text, confidence in ours.lines:
        print(f"  │ {text:<56} {confidence:5.1%}")
    print(f"\n  {'':22}{'open models':>13}{'find lines':>12}{f'read {len(ours.lines)} lines':>14}")
    print_times(f"sardonyx {sardonyx.__version__}", ours)
    same = compare_with_peer(paths, page, ours)
    if importlib.util.find_spec("uvicorn") is None:
        print("\n  Install sardonyx[serve] to see the reader deployed and asked over REST.\n")
    else:
        deploy(paths[READER], ours, stay="--stay" in sys.argv)
    return 0 if same else 1


def compare_with_peer(paths: dict[str, Path], page: Image.Image, ours: Reading) -> bool:
    """Print the peer's times below ours, and whether it read the same text."""
    if importlib.util.find_spec("onnxruntime") is None:
        print("\n  Install onnxruntime to see its times beside these.\n")
        return True
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    import onnxruntime

    peer = read_page(onnxruntime, paths, page)
    print_times(f"onnxruntime {onnxruntime.__version__}", peer)
    same = [text for text, _ in ours.lines] == [text for text, _ in peer.lines]
    print(f"\n  {'Both read the same text.' if same else 'They read different text:'}\n")
    for text, confidence in () if same else peer.lines:
        print(f"  │ {text:<56} {confidence:5.1%}")
    return same


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

    lines, pictures, read_ms = [], [], 0.0
    for box in boxes:
        line = page.crop(tuple(round(side) for side in box))
        wide = max(LINE_HEIGHT, round(line.width * LINE_HEIGHT / line.height))
        pictures.append(network_input(line.resize((wide, LINE_HEIGHT), Image.Resampling.BICUBIC)))
        letters, took = timed(reader, pictures[-1])
        lines.append(decode(letters[0], alphabet))
        read_ms += took
    return Reading(lines, pictures[0], alphabet, open_ms, find_ms, read_ms)


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


def deploy(reader: Path, reading: Reading, *, stay: bool) -> None:
    """Serve the reader in a process of its own and ask it for the first line; print what both say."""
    command = [sys.executable, "-m", "sardonyx", "serve", str(reader), "--name", READER]
    command += [] if stay else ["--http-port", "0", "--grpc-port", "0"]
    began = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            ready = server.stdout.readline().split()
            if ready[:1] != ["ready"]:
                raise SystemExit("the server did not start; its message stands above")
            print(f"\n  $ sardonyx serve {reader.name}\n  {' '.join(ready)}")
            print(f"  ({1e3 * (time.perf_counter() - began):.0f} ms from the command to the first request)\n")
            ask(ready[1], reading)
            if stay:
                print("  It goes on running; Ctrl-C ends it.\n", flush=True)
                server.wait()
        except KeyboardInterrupt:
            pass
        finally:
            server.send_signal(signal.SIGTERM)


def ask(url: str, reading: Reading) -> None:
    """One request as any client of the Open Inference Protocol sends it, then some more for the times."""
    image = reading.first_line
    open_url = urllib.request.build_opener(urllib.request.ProxyHandler({})).open
    metadata = json.load(open_url(f"{url}/v2/models/{READER}"))
    tensor = {"name": metadata["inputs"][0]["name"], "datatype": "FP32", "shape": image.shape}
    header = json.dumps(
        {
            "inputs": [{**tensor, "parameters": {"binary_data_size": image.nbytes}}],
            "parameters": {"binary_data_output": True},
        }
    ).encode()
    request = urllib.request.Request(
        f"{url}/v2/models/{READER}/infer",
        data=header + image.tobytes(),
        headers={"Inference-Header-Content-Length": str(len(header))},
    )
    times = []
    for _ in range(ASKED):
        began = time.perf_counter()
        with open_url(request) as reply:
            length = int(reply.headers["Inference-Header-Content-Length"])
            body = reply.read()
        times.append(1e3 * (time.perf_counter() - began))
    answer = json.loads(body[:length])
    scores = np.frombuffer(body[length:], np.float32).reshape(answer["outputs"][0]["shape"])
    text, confidence = decode(scores[0], reading.alphabet)
    print(f"  POST /v2/models/{READER}/infer\n    {header.decode()} + {image.nbytes:,} bytes")
    print(f"  {reply.status} {reply.reason}\n    {body[:length].decode()} + {len(body) - length:,} bytes")
    print(f"    which says: {text}  ({confidence:.1%})\n")
    row = json.load(open_url(f"{url}/v2/models/{READER}/stats"))["model_stats"][0]
    spent = {name: part["ns"] / max(1, part["count"]) / 1e6 for name, part in row["inference_stats"].items()}
    print(f"  {ASKED} requests took {sorted(times)[ASKED // 2]:.2f} ms each (median, seen by the client)")
    print(
        f"  the endpoint says, on average: {spent['success']:.2f} ms in all, {spent['queue']:.2f} ms in the "
        f"queue, {spent['compute_infer']:.2f} ms in the model\n"
    )


if __name__ == "__main__":
    sys.exit(main())
