"""Measure the real models of the zoo beside onnxruntime; write JSON lines and docs/performance.md.

    python benchmarks/compare_ort.py [--quick] [--write] [--threads 1,2] [--seconds 1.0] [NAME ...]

How it is measured: see `sardonyx.tools.bench`.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from sardonyx import targets, zoo
from sardonyx.tools import bench

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results"
PERFORMANCE = ROOT / "docs" / "performance.md"
MARKS = ("<!-- bench:start -->", "<!-- bench:end -->")
SUMMARY_MARKS = ("<!-- summary:start -->", "<!-- summary:end -->")
CLASSES = {
    "pictures": {"vision", "canonical", "detection", "segmentation", "ocr"},
    "text": {"text"},
    "sound": {"audio", "tts"},
}
TINY, TINY_US = "tiny, below 0.3 ms", 300
ONE_NODE = "one_node (float[N] x) => (float[N] y) { y = Relu(x) }"
NOTHING = "–"
LARGEST_DISTANCE = {"fp32": 1e-4, "fp16": 1e-3}


def main() -> int:
    """Measure and write; the exit status is 1 if an engine failed or the outputs differ."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("names", nargs="*", help="models of the zoo (default: all of fp32 and fp16)")
    parser.add_argument("--quick", action="store_true", help="only the quick set")
    parser.add_argument("--threads", default="1,2", help="thread counts, by comma")
    parser.add_argument("--seconds", type=float, default=1.0, help="per engine, model and thread count")
    parser.add_argument(
        "--write", action="store_true", help="rewrite docs/performance.md and the README's summary"
    )
    options = parser.parse_args()
    names = options.names or [
        model.name for model in zoo.models(quick=True if options.quick else None, precision=("fp32", "fp16"))
    ]
    threads = [n for n in map(int, options.threads.split(",")) if n <= (os.cpu_count() or 1)]
    paths = zoo.fetch(names)
    rows = list(measured(names, paths, threads, options.seconds))
    latency = one_node_latency()
    save(rows, latency)
    table = report(rows, latency)
    print(f"\n{table}")
    if options.write:
        rewrite(PERFORMANCE, table, MARKS)
        rewrite(ROOT / "README.md", summary(rows), SUMMARY_MARKS)
    return int(any(row.speed is None or is_apart(row) for row in rows))


def is_apart(row: bench.Row) -> bool:
    """Whether the outputs differ more than roundings of the model's precision explain."""
    precision = {model.name: model.precision for model in zoo.models()}.get(row.model, "fp32")
    return row.apart is None or row.apart > LARGEST_DISTANCE.get(precision, 1e-4)


def sizes_of(name: str) -> str:
    """The shapes of a model's feeds: 1x3x48x320, 1x16; scalars and further inputs are left out."""
    shapes = ["x".join(map(str, np.shape(feed))) for feed in zoo.feeds(name).values() if np.ndim(feed)]
    return ", ".join(dict.fromkeys(shapes[:2]))


def processor() -> str:
    """The class of the processor in words."""
    wide = "AVX-512" if targets.detect().name.startswith("x86_64-v4") else "AVX2"
    return f"an x86-64 processor with {wide}"


def measured(
    names: list[str], paths: dict[str, Path], threads: list[int], seconds: float
) -> Iterable[bench.Row]:
    """One row per model and thread count, printed as it is found."""
    for name in names:
        feeds = zoo.feeds(name)
        for count in threads:
            try:
                row = bench.compare(paths[name], feeds, threads=count, seconds=seconds, name=name)
            except bench.BenchError as error:
                print(f"{name:26} {count} threads  FAILS  {error}", flush=True)
                yield bench.Row(name, count)
                continue
            ours, peer = (timing.median_us / 1e3 for timing in row.timings)
            print(
                f"{name:26} {count} threads  {ours:10.3f} ms  onnxruntime {peer:10.3f} ms  "
                f"{row.speed:5.2f}x  apart {row.apart:.1e}",
                flush=True,
            )
            yield row


def one_node_latency() -> bench.Row:
    """What one call of run() costs when there is next to nothing to compute."""
    proto = onnx.parser.parse_model(f'<ir_version: 10, opset_import: ["" : 21]> {ONE_NODE}')
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "one_node.onnx"
        path.write_bytes(proto.SerializeToString())
        return bench.compare(path, {"x": np.arange(-4, 4, dtype=np.float32)}, name="one node")


def save(rows: list[bench.Row], latency: bench.Row) -> None:
    """Append nothing, overwrite nothing: every run gets a file of its own."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    file = RESULTS / f"{time.strftime('%Y%m%d-%H%M%S')}.jsonl"
    lines: list[dict[str, Any]] = [row.as_json() for row in (*rows, latency)]
    file.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    print(f"results in {file.relative_to(ROOT)}")


def report(rows: list[bench.Row], latency: bench.Row) -> str:
    """The figures as Markdown: speed by model and cost of a call."""
    threads = sorted({row.threads for row in rows})
    version = next((row.timings[1].version for row in rows if row.timings), "")
    facts = bench.machine()
    head = ["model", "input"]
    for count in threads:
        plural = "s" if count > 1 else ""
        head += [f"{count} thread{plural}, ms", "onnxruntime", "speed"]
    lines = [
        f"Medians on {processor()}, {facts['cores']} cores, Python {facts['python'].rpartition('.')[0]}, "
        f"beside onnxruntime {version}, both in float32. Speed above 1 means that Sardonyx is faster.",
        "",
        line_of(head),
        line_of(["---", "---", *["---:"] * (len(head) - 2)]),
    ]
    for name in dict.fromkeys(row.model for row in rows):
        cells = [name, sizes_of(name)]
        for count in threads:
            cells += cells_of(next(r for r in rows if r.model == name and r.threads == count))
        lines.append(line_of(cells))
    means = ["**geometric mean**", ""]
    for count in threads:
        speeds = [row.speed for row in rows if row.threads == count and row.speed]
        means += ["", "", f"**{bench.geometric_mean(speeds):.2f}x**" if speeds else NOTHING]
    lines += [line_of(means), ""]
    if latency.timings:
        ours, peer = (timing.median_us for timing in latency.timings)
        lines += [f"One call of `run()` on a one-node model: {ours:.1f} µs, onnxruntime {peer:.1f} µs.", ""]
    return "\n".join(lines).rstrip() + "\n"


def cells_of(row: bench.Row) -> list[str]:
    """Ours, theirs, speed."""
    if row.speed is None:
        return ["fails", NOTHING, NOTHING]
    ours, peer = (timing.median_us / 1e3 for timing in row.timings)
    return [milliseconds(ours), milliseconds(peer), f"{row.speed:.2f}x"]


def milliseconds(value: float) -> str:
    """Three digits, without an exponent."""
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def line_of(cells: list[str]) -> str:
    """A line of a Markdown table."""
    return f"| {' | '.join(cells)} |"


def summary(rows: list[bench.Row]) -> str:
    """Geometric means by class of models, as Markdown."""
    threads = sorted({row.threads for row in rows})
    version = next((row.timings[1].version for row in rows if row.timings), "")
    alone = {row.model: row for row in rows if row.threads == threads[0] and row.timings}
    names: dict[str, list[str]] = {title: [] for title in (*CLASSES, TINY)}
    categories = {model.name: model.category for model in zoo.models()}
    for name, row in alone.items():
        title = next((title for title, known in CLASSES.items() if categories.get(name) in known), None)
        is_tiny = row.timings[0].median_us < TINY_US
        names[TINY if is_tiny or title is None else title].append(name)
    lines = [
        f"Beside onnxruntime {version}, both in float32, on {processor()} and {bench.machine()['cores']} "
        "cores; above 1 means that Sardonyx is faster.",
        "",
        line_of(["models", *(f"{count} thread{'s' if count > 1 else ''}" for count in threads)]),
        line_of(["---", *["---:"] * len(threads)]),
    ]
    lines += [line_of(means_of(title, known, rows, threads)) for title, known in names.items() if known]
    total = means_of("all", list(alone), rows, threads)
    return "\n".join([*lines, line_of([f"**{cell}**" for cell in total])]) + "\n"


def means_of(title: str, names: list[str], rows: list[bench.Row], threads: list[int]) -> list[str]:
    """The cells of one line of the summary."""
    cells = [f"{title} ({len(names)})"]
    for count in threads:
        speeds = [row.speed for row in rows if row.threads == count and row.speed and row.model in names]
        cells.append(f"{bench.geometric_mean(speeds):.2f}x" if speeds else NOTHING)
    return cells


def rewrite(page: Path, text: str, marks: tuple[str, str]) -> None:
    """Put a text between the two marks of a page."""
    before, rest = page.read_text(encoding="utf-8").split(marks[0])
    after = rest.split(marks[1])[1]
    page.write_text(f"{before}{marks[0]}\n{text}{marks[1]}{after}", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
