"""Recorded speeds as Markdown: a section of tables for each record, a summary; writes them into pages."""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Iterable, Sequence
from pathlib import Path

import machines
from speeds import OTHER_PEER, PEER, Figure, Record
from subjects import CLASSES

from sardonyx.base.knobs import PRECISION
from sardonyx.tools import bench

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results"
PERFORMANCE = ROOT / "docs" / "performance.md"
TITLES = {PEER: "onnxruntime", OTHER_PEER: "OpenVINO"}
NOTHING = "–"
WORDS = (
    "Above 1 means that Sardonyx is faster, with the same number of threads; float32 stays float32 in the "
    "peers, but in bf16, which OpenVINO is asked for too. An output of an 8-bit model is wrong if it is "
    f"further than {bench.WRONG_DISTANCE:.0%} of the largest from what numpy makes of the model."
)


def report(records: Iterable[Record]) -> str:
    """Each model by class, and the cost of a call, for each record."""
    return "\n\n".join([WORDS, *map(_section, records)]) + "\n"


def summary(records: Iterable[Record]) -> str:
    """A line of geometric means by class for each record, peer and thread count."""
    head = ["machine, precision", "beside", "threads", *CLASSES.values(), "all (models)"]
    lines = [WORDS, "", line_of(head), line_of(["---", "---", *["---:"] * (len(head) - 2)])]
    for record in records:
        places = itertools.product(record.peers, threads_of(record.figures))
        lines += [line_of(_summary_cells(record, peer, threads)) for peer, threads in places]
    return "\n".join(lines) + "\n"


def threads_of(figures: Iterable[Figure]) -> list[int]:
    """The thread counts, ascending."""
    return sorted({figure.threads for figure in figures})


def _name(record: Record) -> str:
    """Kind of machine, and the precision if it is not the usual one."""
    words = machines.in_words(record.kind)
    return words if record.precision == PRECISION.default else f"{words}; {record.precision}"


def _section(record: Record) -> str:
    parts = [f"### {_name(record)}", _caption(record)]
    for kind, title in CLASSES.items():
        if known := [figure for figure in record.figures if figure.kind == kind]:
            parts.append("\n".join([f"#### {title}", "", *_class_lines(known, list(record.peers))]))
    if record.one_node_us:
        times = [
            f"{TITLES.get(engine, 'Sardonyx')} {time:.1f} µs" for engine, time in record.one_node_us.items()
        ]
        parts.append(f"One call of `run()` on a one-node model: {', '.join(times)}.")
    return "\n\n".join(parts)


def _caption(record: Record) -> str:
    """What the figures depend on, in a sentence or two."""
    beside = " and ".join(f"{TITLES[peer]} {version}" for peer, version in record.peers.items())
    missing = "" if OTHER_PEER in record.peers else f" {TITLES[OTHER_PEER]} was not measured."
    distance = " `apart`: from onnxruntime's outputs, as a share of the largest."
    return (
        f"Medians beside {beside} on {record.processor}, {record.cores} cores, Python {record.python}, "
        f"precision {record.precision}, one thread by {record.one_thread_by}; "
        f"last run on {record.date}.{missing}"
        f"{distance if _has_distances(record.figures) else ''}"
    )


def _has_distances(figures: Iterable[Figure]) -> bool:
    return any(figure.apart is not None for figure in figures)


def _class_lines(figures: Sequence[Figure], peers: Sequence[str]) -> list[str]:
    """The table of one class."""
    threads, has_distances = threads_of(figures), _has_distances(figures)
    head = ["model", "input"]
    for count in threads:
        head.append(f"{_threads(count)}, ms")
        for peer in peers:
            head += [TITLES[peer], "speed"]
    head += ["apart"] * has_distances
    lines = [line_of(head), line_of(["---", "---", *["---:"] * (len(head) - 2)])]
    for name in dict.fromkeys(figure.model for figure in figures):
        mine = {figure.threads: figure for figure in figures if figure.model == name}
        cells = [name, next(iter(mine.values())).inputs]
        for count in threads:
            cells += _cells_of(mine.get(count), peers)
        lines.append(line_of([*cells, *[_distance(mine.values())] * has_distances]))
    means = ["**geometric mean**", ""]
    for count in threads:
        means.append("")
        for peer in peers:
            means += ["", f"**{_mean(figures, count, peer)}**"]
    return [*lines, line_of([*means, *[""] * has_distances])]


def _cells_of(figure: Figure | None, peers: Sequence[str]) -> list[str]:
    """Ours; theirs and the speed, of each peer; shares of wrong outputs stand beside times."""
    if figure is None or bench.OURS not in figure.times_us:
        return [NOTHING if figure is None else "fails", *[NOTHING] * (2 * len(peers))]
    cells = [_time(figure, bench.OURS)]
    for peer in peers:
        speed = figure.speed_beside(peer)
        cells += [_time(figure, peer), f"{speed:.2f}x" if speed else NOTHING]
    return cells


def _time(figure: Figure, engine: str) -> str:
    if engine not in figure.times_us:
        return NOTHING
    wrong = f" ({figure.wrong[engine]:.1%} wrong)" if engine in figure.wrong else ""
    return f"{milliseconds(figure.times_us[engine] / 1e3)}{wrong}"


def _distance(figures: Iterable[Figure]) -> str:
    """The largest of all thread counts."""
    known = [figure.apart for figure in figures if figure.apart is not None]
    return f"{max(known):.0e}" if known else NOTHING


def _summary_cells(record: Record, peer: str, threads: int) -> list[str]:
    """The cells of one line of the summary."""
    cells = [_name(record), f"{TITLES[peer]} {record.peers[peer]}", str(threads)]
    mine = [figure for figure in record.figures if figure.threads == threads]
    for kind in CLASSES:
        known = [figure for figure in mine if figure.kind == kind]
        cells.append(_mean(known, threads, peer) + _wrong(known, peer))
    models = sum(figure.speed_beside(peer) is not None for figure in mine)
    return [*cells, f"**{_mean(mine, threads, peer)}** ({models})"]


def _mean(figures: Iterable[Figure], threads: int, peer: str) -> str:
    speeds = [figure.speed_beside(peer) for figure in figures if figure.threads == threads]
    known = [speed for speed in speeds if speed]
    return f"{bench.geometric_mean(known):.2f}x" if known else NOTHING


def _wrong(figures: Iterable[Figure], peer: str) -> str:
    """The mean shares of wrong outputs of models that are judged so, ours and the peer's."""
    judged = [figure.wrong for figure in figures if {bench.OURS, peer} <= set(figure.wrong)]
    if not judged:
        return ""
    ours, theirs = (statistics.fmean(wrong[engine] for wrong in judged) for engine in (bench.OURS, peer))
    return f" (wrong {ours:.1%}, theirs {theirs:.1%})"


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
