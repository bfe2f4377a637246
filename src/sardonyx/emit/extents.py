"""What is known of the extents of a kernel, and what was asked: equal answers, equal text.

Who writes loops looks at no extent itself, and asks no more than decides. Must not know what follows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import Any, TypeAlias, TypeVar

from sardonyx.base.dim import Dim
from sardonyx.loops.nest import Axis

T = TypeVar("T")
Question: TypeAlias = tuple[Callable[..., Any], tuple[int, ...], tuple[int, ...]]
"""A function of extents and numbers, the numbers of the axes that have the extents, and the numbers."""


class Extents:
    """The extents of a kernel's axes, which are numbered."""

    def __init__(self, axes: Sequence[Axis]) -> None:
        self._axes = axes
        self._numbers = {axis: number for number, axis in enumerate(axes)}
        self.answers: dict[Question, Any] = {}

    def ask(self, function: Callable[..., T], axes: Sequence[Axis], *to: int) -> T:
        """What a function says of the extents of some axes; it must depend on nothing else."""
        question: Question = function, tuple([self._numbers[axis] for axis in axes]), to
        if question not in self.answers:
            self.answers[question] = self._answer(question)
        answer: T = self.answers[question]
        return answer

    def agree(self, answers: Mapping[Question, Any]) -> bool:
        """Whether the answers would be the same here."""
        return all(self._answer(question) == answer for question, answer in answers.items())

    def _answer(self, question: Question) -> Any:
        function, numbers, to = question
        return function([self._axes[number].extent for number in numbers], *to)

    # ---- questions

    def count(self, axis: Axis) -> int | None:
        """How many points there are; None if that is not known."""
        return self.ask(_count, (axis,))

    def at_least(self, axis: Axis, least: int) -> bool:
        """Whether it is known that there are so many points."""
        return self.ask(_at_least, (axis,), least)

    def at_most(self, axes: Sequence[Axis], most: int) -> bool:
        """Whether it is known that axes have no more points together."""
        return self.ask(_at_most, axes, most)

    def leaves(self, axis: Axis, width: int, least: int = 1) -> bool | None:
        """Whether blocks of a width leave so many points over; None if that is not known."""
        return self.ask(_leaves, (axis,), width, least)


def _count(extents: Sequence[Dim]) -> int | None:
    (extent,) = extents
    return extent if isinstance(extent, int) else None


def _at_least(extents: Sequence[Dim], least: int) -> bool:
    (extent,) = extents
    return isinstance(extent, int) and extent >= least


def _at_most(extents: Sequence[Dim], most: int) -> bool:
    known = [extent for extent in extents if isinstance(extent, int)]
    return len(known) == len(extents) and prod(known) <= most


def _leaves(extents: Sequence[Dim], width: int, least: int) -> bool | None:
    (extent,) = extents
    return extent % width >= least if isinstance(extent, int) else None
