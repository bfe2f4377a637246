"""Figures of runs as Markdown: a table per class of models, and a summary of them; writes them into pages."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from subjects import CLASSES

from sardonyx import targets
from sardonyx.tools import bench

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results"
PERFORMANCE = ROOT / "docs" / "performance.md"
PEER, OTHER_PEER = "onnxruntime", "openvino"
TITLES = {PEER: "onnxruntime", OTHER_PEER: "OpenVINO"}
NOTHING = "–"
MISSING = f"{TITLES[OTHER_PEER]} was not measured, because it is not installed (`pip install openvino`)."


@dataclass(frozen=True, slots=True)
class Figure:
    """A row of the benchmark with the class of its model and the shapes of its feeds."""

    row: bench.Row
    kind: str
    inputs: str


def report(figures: Sequence[Figure], latency: bench.Row) -> str:
    """Each model by class, and the cost of a call."""
    parts = [caption(figures)]
    if OTHER_PEER not in peers_of(figures):
        parts.append(MISSING)
    for kind, title in CLASSES.items():
        if known := [figure for figure in figures if figure.kind == kind]:
            parts.append("\n".join([f"### {title}", "", *_class_lines(known)]))
    if latency.timings:
        ours, peer = (timing.median_us for timing in latency.timings[:2])
        parts.append(f"One call of `run()` on a one-node model: {ours:.1f} µs, onnxruntime {peer:.1f} µs.")
    return "\n\n".join(parts) + "\n"


def summary(figures: Sequence[Figure]) -> str:
    """Geometric means by class of models."""
    threads, peers = threads_of(figures), peers_of(figures)
    head = ["models"]
    for count in threads:
        head += (
            [f"{_threads(count)}, {TITLES[peer]}" for peer in peers] if len(peers) > 1 else [_threads(count)]
        )
    lines = [caption(figures), "", line_of(head), line_of(["---", *["---:"] * (len(head) - 1)])]
    for kind, title in CLASSES.items():
        if known := [figure for figure in figures if figure.kind == kind]:
            lines.append(line_of(_summary_cells(title, known, threads, peers)))
    total = [f"all ({_models(figures)})", *(_mean(figures, n, peer) for n in threads for peer in peers)]
    return "\n".join([*lines, line_of(f"**{cell}**" for cell in total)]) + "\n"


def caption(figures: Sequence[Figure]) -> str:
    """What the figures depend on, in a sentence or two."""
    facts = bench.machine()
    versions = {timing.engine: timing.version for figure in figures for timing in figure.row.timings}
    beside = " and ".join(f"{TITLES[peer]} {versions[peer]}" for peer in peers_of(figures))
    return (
        f"Medians beside {beside or TITLES[PEER]} on {processor()}, {facts['cores']} cores, Python "
        f"{facts['python'].rpartition('.')[0]}, with the same number of threads; float32 stays float32. "
        "Above 1 means that Sardonyx is faster. An output is wrong if it is further than "
        f"{bench.WRONG_DISTANCE:.0%} of the largest from what numpy makes of the model."
    )


def processor() -> str:
    """The class of the processor in words."""
    target = targets.detect()
    wide = "AVX-512" if target.name.startswith("x86_64-v4") else "AVX2"
    matrices = " and AMX" if target.has("amx-bf16") else ""
    return f"an x86-64 processor with {wide}{matrices}"


def threads_of(figures: Iterable[Figure]) -> list[int]:
    """The thread counts, ascending."""
    return sorted({figure.row.threads for figure in figures})


def peers_of(figures: Iterable[Figure]) -> list[str]:
    """The peers that measured at least one model."""
    measured = {timing.engine for figure in figures for timing in figure.row.timings}
    return [peer for peer in TITLES if peer in measured]


def _class_lines(figures: Sequence[Figure]) -> list[str]:
    """The table of one class."""
    threads, peers = threads_of(figures), peers_of(figures)
    head = ["model", "input"]
    for count in threads:
        head.append(f"{_threads(count)}, ms")
        for peer in peers:
            head += [TITLES[peer], "speed"]
    lines = [line_of(head), line_of(["---", "---", *["---:"] * (len(head) - 2)])]
    for name in dict.fromkeys(figure.row.model for figure in figures):
        mine = {figure.row.threads: figure for figure in figures if figure.row.model == name}
        cells = [name, next(iter(mine.values())).inputs]
        for count in threads:
            cells += _cells_of(mine[count].row, peers) if count in mine else [NOTHING] * (1 + 2 * len(peers))
        lines.append(line_of(cells))
    means = ["**geometric mean**", ""]
    for count in threads:
        means.append("")
        for peer in peers:
            means += ["", f"**{_mean(figures, count, peer)}**"]
    return [*lines, line_of(means)]


def _cells_of(row: bench.Row, peers: Sequence[str]) -> list[str]:
    """Ours; theirs and the speed, of each peer; shares of wrong outputs stand beside times."""
    if not row.timings:
        return ["fails", *[NOTHING] * (2 * len(peers))]
    texts = {}
    for number, timing in enumerate(row.timings):
        wrong = f" ({row.wrong[number]:.1%} wrong)" if row.wrong else ""
        texts[timing.engine] = f"{milliseconds(timing.median_us / 1e3)}{wrong}"
    cells = [texts[bench.OURS]]
    for peer in peers:
        speed = row.speed_beside(peer)
        cells += [texts.get(peer, NOTHING), f"{speed:.2f}x" if speed else NOTHING]
    return cells


def _summary_cells(
    title: str, figures: Sequence[Figure], threads: Sequence[int], peers: Sequence[str]
) -> list[str]:
    """The cells of one line of the summary."""
    cells = [f"{title} ({_models(figures)})"]
    for count in threads:
        cells += [_mean(figures, count, peer) + _wrong(figures, count, peer) for peer in peers]
    return cells


def _models(figures: Iterable[Figure]) -> int:
    return len({figure.row.model for figure in figures})


def _mean(figures: Iterable[Figure], threads: int, peer: str) -> str:
    speeds = [figure.row.speed_beside(peer) for figure in figures if figure.row.threads == threads]
    known = [speed for speed in speeds if speed]
    return f"{bench.geometric_mean(known):.2f}x" if known else NOTHING


def _wrong(figures: Iterable[Figure], threads: int, peer: str) -> str:
    """The mean shares of wrong outputs of models that are judged so, ours and the peer's."""
    shares: dict[str, list[float]] = {bench.OURS: [], peer: []}
    for row in (figure.row for figure in figures if figure.row.threads == threads):
        for timing, share in zip(row.timings, row.wrong, strict=False):
            shares.setdefault(timing.engine, []).append(share)
    ours, theirs = (shares[engine] for engine in (bench.OURS, peer))
    if not ours or not theirs:
        return ""
    return f" (wrong: {statistics.fmean(ours):.1%}, theirs {statistics.fmean(theirs):.1%})"


def _threads(count: int) -> str:
    return f"{count} thread{'s' if count > 1 else ''}"


def milliseconds(value: float) -> str:
    """Three digits, without an exponent."""
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def line_of(cells: Iterable[str]) -> str:
    """A line of a Markdown table."""
    return f"| {' | '.join(cells)} |"


def rewrite(page: Path, text: str, marks: tuple[str, str]) -> None:
    """Put a text between the two marks of a page."""
    before, rest = page.read_text(encoding="utf-8").split(marks[0])
    after = rest.split(marks[1])[1]
    page.write_text(f"{before}{marks[0]}\n{text}{marks[1]}{after}", encoding="utf-8")
