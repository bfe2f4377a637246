"""Speeds of models as they are recorded: one record for each kind of machine and precision, of all its runs.

A run replaces what it measured again; records of other kinds stay. Pages are written from records alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from sardonyx.base.knobs import PRECISIONS
from sardonyx.tools import bench

SPEEDS = Path(__file__).with_name("speeds.json")
PEER, OTHER_PEER = "onnxruntime", "openvino"
DIGITS = 4


@dataclass(frozen=True, slots=True)
class Figure:
    """A model of a class, with feeds of some shapes, at one thread count.

    Medians in microseconds and shares of wrong outputs by engine; `apart` is how far our outputs are from
    onnxruntime's, as a share of the largest.
    """

    model: str
    kind: str
    inputs: str
    threads: int
    times_us: Mapping[str, float]
    wrong: Mapping[str, float] = field(default_factory=dict)
    apart: float | None = None

    @classmethod
    def of(cls, row: bench.Row, kind: str, inputs: str) -> Figure:
        """That of a row of the benchmark."""
        times = {timing.engine: timing.median_us for timing in row.timings}
        wrong = dict(zip(times, row.wrong, strict=False))
        return cls(row.model, kind, inputs, row.threads, times, wrong, row.apart)

    def speed_beside(self, peer: str) -> float | None:
        """How many times faster than a peer we are; None if either was not measured."""
        if bench.OURS in self.times_us and peer in self.times_us:
            return self.times_us[peer] / self.times_us[bench.OURS]
        return None


@dataclass(frozen=True, slots=True)
class Record:
    """All figures of a kind of machine at one precision, the day of its last run, and what they depend on."""

    kind: str
    precision: str
    date: str
    processor: str
    cores: int
    python: str
    one_thread_by: str
    """The clock, or processor time, which other work on the machine hardly disturbs."""
    peers: Mapping[str, str]
    """Versions by name."""
    figures: Sequence[Figure]
    one_node_us: Mapping[str, float]


def read(path: Path = SPEEDS) -> list[Record]:
    """The records of a file."""
    return [_record(found) for found in json.loads(path.read_text(encoding="utf-8"))]


def merged(records: Iterable[Record], new: Record) -> list[Record]:
    """The records with a run's figures in that of its kind and precision, ordered by both.

    What was measured there on another processor, or beside another version of a peer, is dropped.
    """
    by_place = {_place(record): record for record in records}
    old = by_place.get(_place(new))
    if old and _is_alike(old, new):
        figures = {(figure.model, figure.threads): figure for figure in (*old.figures, *new.figures)}
        new = replace(new, peers={**old.peers, **new.peers}, figures=list(figures.values()))
    by_place[_place(new)] = new
    return [by_place[place] for place in sorted(by_place)]


def text(records: Iterable[Record]) -> str:
    """Records as they are stored: a line a figure."""
    return "[\n" + ",\n".join(map(_text, records)) + "\n]\n"


def _place(record: Record) -> tuple[str, int]:
    return record.kind, PRECISIONS.index(record.precision)


_MACHINE = ("processor", "cores", "python", "one_thread_by")


def _is_alike(old: Record, new: Record) -> bool:
    """Whether figures of both may stand in one table."""
    on_one_machine = all(getattr(old, fact) == getattr(new, fact) for fact in _MACHINE)
    return on_one_machine and all(
        old.peers.get(peer, version) == version for peer, version in new.peers.items()
    )


HEAD = ("kind", "precision", "date", "processor", "cores", "python", "one_thread_by", "peers", "one_node_us")


def _text(record: Record) -> str:
    engines = (bench.OURS, *record.peers)
    lines = [f"    {json.dumps(_cells(figure, engines))}" for figure in record.figures]
    head = [f"  {json.dumps(name)}: {json.dumps(getattr(record, name))}," for name in HEAD]
    return "\n".join([" {", *head, '  "figures": [', ",\n".join(lines), "  ]", " }"])


def _cells(figure: Figure, engines: Sequence[str]) -> list[Any]:
    """A figure as a list; times and shares in the order of the engines, null where there is none."""
    times = [_rounded(figure.times_us.get(engine)) for engine in engines]
    wrong = [_rounded(figure.wrong.get(engine)) for engine in engines] if figure.wrong else []
    return [
        *(figure.model, figure.kind, figure.inputs, figure.threads, times),
        *(wrong, _rounded(figure.apart)),
    ]


def _rounded(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.{DIGITS}g}")


def _record(found: dict[str, Any]) -> Record:
    engines = (bench.OURS, *found["peers"])
    figures = []
    for model, kind, inputs, threads, *lists, apart in found["figures"]:
        times, wrong = (_by_engine(engines, values) for values in lists)
        figures.append(Figure(model, kind, inputs, threads, times, wrong, apart))
    return Record(**{**found, "figures": figures})


def _by_engine(engines: Sequence[str], values: Sequence[float | None]) -> dict[str, float]:
    return {engine: value for engine, value in zip(engines, values, strict=False) if value is not None}
