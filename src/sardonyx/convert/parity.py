"""Compares what this engine makes of a converted model with what the framework said.

The judge of every conversion. No other ONNX engine is asked: those have faults of their own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from sardonyx.convert.framework import Array, Case

TOLERANCE = 1e-4
"""Largest distance of a float output, as a part of the largest value that the framework gives in it."""


@dataclass(frozen=True)
class OutputParity:
    """How far an output is from the framework's.

    `largest_error` is absolute, `relative_error` a part of the largest value; `differing` of `count` elements
    differ where they must be equal, `undecided` of them because two classes score alike. `wrong` says why
    the output fails, or nothing.
    """

    name: str
    largest_error: float
    relative_error: float
    differing: int
    undecided: int
    count: int
    wrong: str = ""


@dataclass(frozen=True)
class Parity:
    """Every output beside the framework's, over all cases."""

    outputs: list[OutputParity]
    drawn: bool

    @property
    def holds(self) -> bool:
        """Whether every output agrees."""
        return not any(output.wrong for output in self.outputs)

    @property
    def largest_error(self) -> float:
        """The largest relative error of all outputs."""
        return max((output.relative_error for output in self.outputs), default=0.0)

    def record(self) -> dict[str, Any]:
        """As JSON."""
        return {"drawn": self.drawn, "outputs": [asdict(output) for output in self.outputs]}


def compare(
    session: Any, cases: Sequence[Case], *, drawn: bool, tolerance: float = TOLERANCE, points: int = 0
) -> Parity:
    """Run the session on every case; the worst of each output. Integers may be `points` apart."""
    names = [output.name for output in session.get_outputs()]
    sizes = [_largest(answers) for answers in zip(*(case.answers for case in cases), strict=False)]
    worst: dict[str, OutputParity] = {}
    for case in cases:
        try:
            ours = [_array(result) for result in session.run(None, case.feeds)]
        except Exception as error:  # whatever the engine says of it, the model does not run
            said = str(error).rpartition(" : ")[2]
            return Parity([_failed(name, f"Sardonyx cannot run it: {said}") for name in names], drawn)
        if len(ours) != len(case.answers):
            told = f"one of {len(ours)} outputs, where the framework gives {len(case.answers)} answers"
            return Parity([_failed(name, told) for name in names], drawn)
        theirs = [_aligned(expected, mine) for expected, mine in zip(case.answers, ours, strict=True)]
        for name, mine, expected, size in zip(names, ours, theirs, sizes, strict=True):
            found = _compared(name, mine, expected, (ours, theirs), size, tolerance, points)
            known = worst.get(name)
            worst[name] = found if known is None else _worse(known, found)
    return Parity(list(worst.values()), drawn)


def _largest(answers: Sequence[Array]) -> float:
    """The largest value of an output in all cases: of one row alone it may be a sum that is nearly 0."""
    finite = [np.abs(part[np.isfinite(part)]) for part in answers if part.dtype.kind in "fc"]
    return max((float(part.max(initial=0)) for part in finite), default=0.0)


def _failed(name: str, wrong: str) -> OutputParity:
    return OutputParity(name, np.inf, np.inf, 0, 0, 0, wrong)


def _worse(a: OutputParity, b: OutputParity) -> OutputParity:
    return OutputParity(
        a.name,
        max(a.largest_error, b.largest_error),
        max(a.relative_error, b.relative_error),
        a.differing + b.differing,
        a.undecided + b.undecided,
        a.count + b.count,
        a.wrong or b.wrong,
    )


def _array(result: Any) -> Array:
    if isinstance(result, list) and result and isinstance(result[0], dict):
        return np.array([[row[key] for key in row] for row in result])
    if isinstance(result, list):
        return np.stack([np.asarray(part) for part in result]) if result else np.zeros(0)
    return np.asarray(result)


def _aligned(expected: Array, mine: Array) -> Array:
    """The framework's answer in the shape and kind of ours where only the writing differs."""
    if expected.ndim >= 1 and mine.shape == (expected.size, 2) and expected.dtype.kind == "f":
        flat = expected.reshape(-1)
        expected = np.stack([1 - flat if _is_probability(mine) else -flat, flat], 1)
    if expected.size == mine.size and _without_ones(expected) == _without_ones(mine):
        expected = expected.reshape(mine.shape)
    if mine.dtype.kind in "OUS" or expected.dtype.kind in "OUS":
        return expected.astype(str).astype(object)
    return expected


def _is_probability(scores: Array) -> bool:
    return bool(np.allclose(scores.sum(1), 1, atol=1e-3)) and float(scores.min(initial=0)) >= 0


def _without_ones(array: Array) -> tuple[int, ...]:
    return tuple(size for size in array.shape if size != 1)


def _compared(
    name: str,
    mine: Array,
    expected: Array,
    sides: tuple[Sequence[Array], Sequence[Array]],
    size: float,
    tolerance: float,
    points: int,
) -> OutputParity:
    if mine.shape != expected.shape:
        wrong = f"shape {list(mine.shape)}, the framework says {list(expected.shape)}"
        return OutputParity(name, np.inf, np.inf, expected.size, 0, expected.size, wrong)
    if mine.dtype.kind in "fc" and expected.dtype.kind in "fciub":
        return _close(name, mine, expected, size, tolerance)
    mine = mine.astype(str).astype(object) if expected.dtype == object else mine
    unequal = (mine != expected) & ((mine == mine) | (expected == expected))
    ties = np.zeros(unequal.shape, bool)
    if unequal.any() and len(sides[1]) > 1:
        ties = unequal & _undecided(sides[0][1], sides[1][1], unequal.shape, tolerance)
    differing = int(unequal.sum())
    bad = differing - int(ties.sum())
    error = 0.0
    if expected.dtype.kind in "iu" and mine.dtype.kind in "iu":
        error = float(np.abs(mine.astype(np.float64) - expected.astype(np.float64)).max(initial=0))
    bad = 0 if error <= points and expected.dtype.kind in "iu" and points else bad
    wrong = f"{bad} of {unequal.size} elements differ" if bad else ""
    return OutputParity(name, error, 0.0, differing, int(ties.sum()), unequal.size, wrong)


def _close(name: str, mine: Array, expected: Array, size: float, tolerance: float) -> OutputParity:
    exact = expected.astype(
        np.complex128 if expected.dtype.kind == "c" or mine.dtype.kind == "c" else np.float64
    )
    same = (mine == exact) | (np.isnan(mine) & np.isnan(exact))
    with np.errstate(invalid="ignore"):
        distance = np.where(same, 0.0, np.abs(mine - exact))
    largest = max(size, _largest([exact]))
    error = float(np.nan_to_num(distance, nan=np.inf).max(initial=0))
    relative = error / largest if largest else error
    bound = max(tolerance, 4 * float(np.finfo(mine.dtype).eps))
    differing = int((np.nan_to_num(distance, nan=np.inf) > bound * (largest or 1.0)).sum())
    wrong = (
        f"{differing} of {mine.size} elements are off, by up to {relative:.1e} of the largest"
        if differing
        else ""
    )
    return OutputParity(name, error, relative, differing, 0, mine.size, wrong)


def _undecided(ours: Array, theirs: Array, shape: tuple[int, ...], tolerance: float) -> Array:
    """Whether the two best classes of a row, or the score of a single one and 0, are a toss-up.

    Not where they are equal on both sides: nothing was rounded then, so another label follows another rule.
    """
    if theirs.dtype.kind != "f" or theirs.ndim != 2 or len(theirs) != shape[0] or ours.shape != theirs.shape:
        return np.zeros(shape, bool)
    margin = _margin(theirs)
    near = np.abs(margin) <= tolerance * float(np.abs(theirs).max(initial=0))
    near &= (margin != 0) | (_margin(ours) != 0)
    return np.broadcast_to(near.reshape(-1, *(1,) * (len(shape) - 1)), shape)


def _margin(scores: Array) -> Array:
    ordered = np.sort(scores.astype(np.float64), 1)
    margin: Array = ordered[:, -1] - ordered[:, -2] if ordered.shape[1] > 1 else ordered[:, -1]
    return margin
