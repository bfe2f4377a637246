"""How far a compressed model is from the one that it was made of: as a whole, and node by node.

The error of a tensor is the root mean square of the differences as a part of that of the values.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any

import numpy as np
import onnx

from sardonyx.base.unfolded import Array, unfolded
from sardonyx.compression.runs import Feeds, opened, opened_with
from sardonyx.compression.scope import ENDLESS, Scope, identity

Rewrite = Callable[[onnx.ModelProto, Collection[str]], list[str]]
"""Rewrites a model in place but for nodes of these identities; says which it rewrote."""
NEARLY_ENDLESS = 6e4
"""What stands for infinity in 16 bits."""
SECONDS = 1.0
ROUNDS = 5
MOST_RUNS = 1_000
"""In one round: medians of more say no more."""


@dataclass
class Sum:
    """Squares of differences and of values, added up over samples."""

    apart: float = 0.0
    size: float = 0.0
    unlike: int = 0
    rows: int = 0

    def add(self, expected: Any, found: Any) -> None:
        """One result beside the one that it should be; one of another shape is wrong as a whole."""
        pairs = zip_longest(unfolded([expected]), unfolded([found]), fillvalue=np.empty(0))
        for one, other in pairs:
            self._add(one, other)

    def _add(self, expected: Array, found: Array) -> None:
        if expected.shape != found.shape:
            largest = max(expected.size, found.size)
            self.unlike, self.rows = self.unlike + largest, self.rows + largest
            self.apart += float("inf") if expected.dtype.kind in "fc" else 0
        elif expected.dtype.kind in "fc":
            wide, other = expected.astype(np.float64), found.astype(np.float64)
            same = (wide == other) | (np.isnan(wide) & np.isnan(other))
            same |= (np.abs(wide) >= ENDLESS) & (np.abs(other) >= NEARLY_ENDLESS) & (wide * other > 0)
            with np.errstate(invalid="ignore", over="ignore"):
                self.apart += float(np.sum(np.where(same, 0, wide - other) ** 2))
                self.size += float(np.sum(wide[np.abs(wide) < ENDLESS] ** 2))
            if wide.ndim >= 2 and wide.shape[-1] > 1:
                best = wide.argmax(-1) != other.argmax(-1)
                self.unlike, self.rows = self.unlike + int(best.sum()), self.rows + best.size
        else:
            self.unlike += int((expected != found).sum())
            self.rows += expected.size

    @property
    def error(self) -> float:
        """Root mean square of the differences, as a part of the values'; 0 if they are not floats."""
        if not np.isfinite(self.apart):
            return float("inf")
        return float(np.sqrt(self.apart / self.size)) if self.size else float(self.apart > 0)

    @property
    def share_unlike(self) -> float:
        """The part of answers that differ: places of the largest of a row, or elements, if not floats."""
        return self.unlike / self.rows if self.rows else 0.0


@dataclass(frozen=True)
class Judgement:
    """What was measured on samples: errors by output, and medians of a run in seconds, in turn."""

    errors: dict[str, float]
    unlike: dict[str, float]
    seconds: tuple[float, float] = (0.0, 0.0)
    nodes: dict[str, float] = field(default_factory=dict)

    @property
    def error(self) -> float:
        """The largest of all outputs."""
        return max(self.errors.values(), default=0.0)


def judged(
    model: onnx.ModelProto, other: onnx.ModelProto, samples: Sequence[Feeds], timed: bool = True
) -> Judgement:
    """Run both on every sample; inputs of the second may be of 16 bits where the first has floats."""
    first, second = opened(model), opened(other)
    names = [output.name for output in first.get_outputs()]
    sums = {name: Sum() for name in names}
    for feeds in samples:
        answers = first.run(names, dict(feeds)), second.run(names, _typed(second, feeds))
        for name, expected, found in zip(names, *answers, strict=True):
            sums[name].add(expected, found)
    seconds = _medians(first, second, samples[0]) if timed else (0.0, 0.0)
    return Judgement(
        {name: total.error for name, total in sums.items()},
        {name: total.share_unlike for name, total in sums.items() if total.rows},
        seconds,
    )


def _typed(session: Any, feeds: Feeds) -> dict[str, Any]:
    """Feeds in the types that a session asks for."""
    wanted = {row.name: row.type for row in session.get_inputs()}
    narrow = {"tensor(float16)": onnx.TensorProto.FLOAT16, "tensor(bfloat16)": onnx.TensorProto.BFLOAT16}
    return {
        name: np.asarray(value).astype(onnx.helper.tensor_dtype_to_np_dtype(narrow[wanted[name]]))
        if wanted[name] in narrow
        else value
        for name, value in feeds.items()
    }


def _medians(first: Any, second: Any, feeds: Feeds) -> tuple[float, float]:
    times: tuple[list[float], list[float]] = ([], [])
    runs = (first, dict(feeds)), (second, _typed(second, feeds))
    for _ in range(ROUNDS):
        for (session, given), taken in zip(runs, times, strict=True):
            ends = time.perf_counter() + SECONDS / ROUNDS / 2
            for _ in range(MOST_RUNS):
                before = time.perf_counter()
                session.run(None, given)
                after = time.perf_counter()
                taken.append(after - before)
                if after >= ends:
                    break
    return statistics.median(times[0]), statistics.median(times[1])


def errors_by_node(model: onnx.ModelProto, rewrite: Rewrite, samples: Sequence[Feeds]) -> dict[str, float]:
    """The error that each node of the main graph would make alone, its inputs exact; the largest first.

    A twin of every node is rewritten beside it, reads what it reads, and is compared with it: one model, one
    run for each sample.
    """
    twins, shown = onnx.ModelProto(), {}
    twins.CopyFrom(model)
    scope = Scope(twins.graph)
    own = [identity(node) for node in twins.graph.node]
    nodes = []
    for node in twins.graph.node:
        nodes.append(node)
        twin = onnx.NodeProto.FromString(node.SerializeToString())
        twin.name = scope.fresh(f"{identity(node)}_twin")
        for at, name in enumerate(node.output):
            twin.output[at] = scope.fresh(f"{name}_twin") if name else ""
        shown[twin.name] = identity(node), node.output[0], twin.output[0]
        nodes.append(twin)
    copies = [onnx.NodeProto.FromString(node.SerializeToString()) for node in nodes]
    del twins.graph.node[:]
    twins.graph.node.extend(copies)
    rewritten = [name for name in rewrite(twins, own) if name in shown]
    sums = {name: Sum() for name in rewritten}
    if rewritten:
        outputs = [name for twin in rewritten for name in shown[twin][1:]]
        session = opened_with(twins, outputs)
        for feeds in samples:
            results = dict(zip(outputs, session.run(outputs, dict(feeds)), strict=True))
            for twin, total in sums.items():
                total.add(results[shown[twin][1]], results[shown[twin][2]])
    found = {shown[name][0]: total.error for name, total in sums.items()}
    return dict(sorted(found.items(), key=lambda row: -row[1]))


def fewest_left_alone(errors: Mapping[str, float], holds: Callable[[list[str]], bool]) -> list[str]:
    """The fewest of the worst nodes that must be left alone for a condition to hold, found by halving.

    All of them are given if it holds for no fewer.
    """
    worst = sorted(errors, key=lambda name: -errors[name])
    low, high = 0, len(worst)
    while low < high:
        middle = (low + high) // 2
        if holds(worst[:middle]):
            high = middle
        else:
            low = middle + 1
    return worst[:low]
