"""Measure models beside onnxruntime, and OpenVINO where it is installed; write docs/performance.md.

    python benchmarks/compare_ort.py [--quick] [--class NAME] [--threads 1,2] [--precision NAME] [--write]
        [MODEL ...]

How it is measured: see `sardonyx.tools.bench`; what: see subjects.py; what is kept of it: see speeds.py.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import machines
import numpy as np
import onnx
from speeds import OTHER_PEER, PEER, SPEEDS, Figure, Record, merged, read, text
from subjects import CLASSES, Subject, sizes_of, subjects
from tables import PERFORMANCE, RESULTS, ROOT, report, rewrite, summary

from sardonyx import zoo
from sardonyx.base.knobs import PRECISION, PRECISIONS
from sardonyx.tools import bench

MARKS = ("<!-- bench:start -->", "<!-- bench:end -->")
SUMMARY_MARKS = ("<!-- summary:start -->", "<!-- summary:end -->")
ONE_NODE = "one_node (float[N] x) => (float[N] y) { y = Relu(x) }"
MISSING = "OpenVINO is not measured, because it is not installed (`pip install openvino`)."
LARGEST_DISTANCE_OF_OTHER_PEER = 0.01
"""Whose outputs are further from ours, and than the row allows, computes another thing, or in fewer bits."""
WITHOUT_OTHER_PEER = ("trees",)
"""Classes whose operators OpenVINO does not have."""


def main() -> int:
    """Measure and write; the exit status is 1 if an engine failed or the outputs differ."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("names", nargs="*", metavar="MODEL", help="names of models (default: all)")
    parser.add_argument("--quick", action="store_true", help="of the zoo, only the quick set; nothing else")
    parser.add_argument(
        "--class", dest="kinds", metavar="NAME", action="append", choices=CLASSES, help=", ".join(CLASSES)
    )
    parser.add_argument("--threads", default="1,2", help="thread counts, by comma")
    parser.add_argument("--seconds", type=float, default=0.6, help="per engine, model and thread count")
    parser.add_argument(
        "--precision", choices=PRECISIONS, default=PRECISION.default, help="how contractions are computed"
    )
    parser.add_argument(
        "--write",
        action="store_true",
        help="record, and rewrite docs/performance.md and the README's summary",
    )
    options = parser.parse_args()
    if options.write and (restriction := machines.restriction()):
        parser.error(f"--write keeps figures of whole machines; this one is held to {restriction}")
    os.environ[PRECISION.env] = options.precision
    began = time.monotonic()
    chosen = selected(options.names, options.kinds or CLASSES, quick=options.quick)
    threads = [n for n in map(int, options.threads.split(",")) if n <= (os.cpu_count() or 1)]
    engines = installed()
    if OTHER_PEER not in engines:
        print(MISSING, flush=True)
    rows: list[bench.Row] = []
    figures: list[Figure] = []
    failed = False
    for subject in chosen:
        for row, inputs in measured(subject, threads, options.seconds, engines):
            print(line(row), flush=True)
            rows.append(row)
            figures.append(Figure.of(row, subject.kind, inputs))
            failed |= is_wrong(row)
    latency = one_node_latency()
    save([*rows, latency])
    record = recorded([*rows, latency], figures, options.precision)
    print(f"\n{report([record])}\n{summary([record])}\n{(time.monotonic() - began) / 60:.1f} minutes")
    if options.write:
        write(merged(read(), record))
    return int(failed)


def recorded(rows: Sequence[bench.Row], figures: Sequence[Figure], precision: str) -> Record:
    """The run as it is kept; the last row is that of the one-node model."""
    facts = bench.machine()
    versions = {timing.engine: timing.version for row in rows for timing in row.timings}
    return Record(
        kind=machines.kind(),
        precision=precision,
        date=time.strftime("%Y-%m-%d"),
        processor=machines.processor(),
        cores=facts["cores"],
        python=facts["python"].rpartition(".")[0],
        one_thread_by="processor time",
        peers={peer: versions[peer] for peer in (PEER, OTHER_PEER) if peer in versions},
        figures=figures,
        one_node_us={timing.engine: round(timing.median_us, 2) for timing in rows[-1].timings},
    )


def write(records: Sequence[Record]) -> None:
    """Keep the records, and write the pages from what is kept."""
    SPEEDS.write_text(text(records), encoding="utf-8")
    kept = read(SPEEDS)
    rewrite(PERFORMANCE, report(kept), MARKS)
    rewrite(ROOT / "README.md", summary(kept), SUMMARY_MARKS)


def selected(names: Sequence[str], kinds: Iterable[str], *, quick: bool = False) -> list[Subject]:
    """The models of these names and classes; all names if none is given.

    Raises:
        SystemExit: a name is that of no model.
    """
    every = subjects()
    known = {subject.name for subject in every}
    if unknown := sorted(set(names) - known):
        raise SystemExit(f"no model {', '.join(unknown)}; there are: {', '.join(sorted(known))}")
    wanted = set(names) or ({model.name for model in zoo.models(quick=True)} if quick else known)
    return [subject for subject in every if subject.name in wanted and subject.kind in kinds]


def installed() -> list[str]:
    """Ours, and the peers that are there."""
    others = [OTHER_PEER] if importlib.util.find_spec(OTHER_PEER) else []
    return [bench.OURS, PEER, *others]


def measured(
    subject: Subject, threads: Sequence[int], seconds: float, engines: Sequence[str]
) -> Iterable[tuple[bench.Row, str]]:
    """A row and the shapes for each of a model's feeds and thread counts; files written are dropped."""
    precisions = subject.precision, PRECISION.read()
    if subject.kind in WITHOUT_OTHER_PEER:
        engines = [engine for engine in engines if engine != OTHER_PEER]
    with tempfile.TemporaryDirectory(prefix="sardonyx-bench-") as folder:
        path, cases = subject.open(Path(folder))
        for what, feeds in cases.items():
            name = f"{subject.name}, {what}" if what else subject.name
            turns = subject.in_turn(feeds)
            expected = bench.exactly(path, turns) if subject.kind == "8-bit" else None
            for count in threads:
                options = {"threads": count, "seconds": seconds, "name": name, "processor": count == 1}
                options |= {"precisions": precisions, "expected": expected}
                yield one(path, turns, engines, **options), sizes_of(turns)


def one(path: Path, feeds: bench.InTurn, engines: Sequence[str], **options: Any) -> bench.Row:
    """A measurement, without a peer that cannot run the model; an empty row if ours or onnxruntime cannot."""
    try:
        return without_wrong(bench.compare(path, feeds, engines=engines, **options))
    except bench.BenchError as error:
        print(f"{options['name']:26} {options['threads']} threads  FAILS  {error}", flush=True)
        if OTHER_PEER in engines and str(error).startswith(f"{OTHER_PEER}: "):
            others = [engine for engine in engines if engine != OTHER_PEER]
            return one(path, feeds, others, **options)
        return bench.Row(options["name"], options["threads"])


def without_wrong(row: bench.Row) -> bench.Row:
    """The row without a second peer whose outputs are not the model's; `wrong` judges those of 8-bit ones."""
    distance = row.further_apart.get(OTHER_PEER, 0.0)
    if not row.wrong and distance > max(LARGEST_DISTANCE_OF_OTHER_PEER, row.allowed):
        print(
            f"{row.model:26} {row.threads} threads  {OTHER_PEER} is WRONG  apart {distance:.1e}", flush=True
        )
        row.timings = [timing for timing in row.timings if timing.engine != OTHER_PEER]
    return row


def is_wrong(row: bench.Row) -> bool:
    """Whether there is no result, or ours differs more than roundings of the row's precisions explain.

    Points of 8 bits that lie near a border fall to either side of it, so their outputs are judged one by one.
    """
    if row.wrong:
        return row.wrong[0] > bench.LARGEST_WRONG_SHARE
    return not row.agrees


def line(row: bench.Row) -> str:
    """A row as it is found, with the names of the peers and, of 8-bit models, the share of wrong outputs."""
    parts = [f"{row.model:26} {row.threads} threads"]
    for number, timing in enumerate(row.timings):
        text = f"{timing.engine if number else ''} {timing.median_us / 1e3:.3f} ms".strip()
        speed = row.speed_beside(timing.engine)
        parts.append(f"{text} {speed:.2f}x" if speed else text)
        if row.wrong:
            parts[-1] += f" ({row.wrong[number]:.1%} wrong)"
    return "  ".join(parts if row.apart is None else [*parts, f"apart {row.apart:.1e}"])


def one_node_latency() -> bench.Row:
    """What one call of run() costs when there is next to nothing to compute."""
    proto = onnx.parser.parse_model(f'<ir_version: 10, opset_import: ["" : 21]> {ONE_NODE}')
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "one_node.onnx"
        path.write_bytes(proto.SerializeToString())
        return bench.compare(path, {"x": np.arange(-4, 4, dtype=np.float32)}, name="one node")


def save(rows: Sequence[bench.Row]) -> None:
    """Append nothing, overwrite nothing: every run gets a file of its own."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    file = RESULTS / f"{time.strftime('%Y%m%d-%H%M%S')}.jsonl"
    file.write_text("".join(json.dumps(row.as_json()) + "\n" for row in rows), encoding="utf-8")
    print(f"results in {file.relative_to(ROOT)}")


if __name__ == "__main__":
    sys.exit(main())
