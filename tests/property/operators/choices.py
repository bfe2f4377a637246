"""What decides how a call is drawn: Hypothesis, which makes what fails smaller, or a seed, which is quick.

A seeded draw knows what it chose, so that none is tried twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Protocol, TypeVar

from hypothesis import strategies as st

T = TypeVar("T")


class Choices(Protocol):
    """One choice after the other."""

    def integer(self, low: int, high: int) -> int:
        """A number in low..high."""

    def one_of(self, options: Sequence[T]) -> T:
        """One of these; simpler ones first."""

    def some(self, options: Sequence[T], least: int, most: int) -> list[T]:
        """So many of these, each any number of times."""

    def order(self, count: int) -> list[int]:
        """The numbers below `count` in any order."""


class ByHypothesis:
    """Choices of an example of Hypothesis."""

    def __init__(self, draw: st.DrawFn) -> None:
        self._draw = draw

    def integer(self, low: int, high: int) -> int:
        return self._draw(st.integers(low, high))

    def one_of(self, options: Sequence[T]) -> T:
        return self._draw(st.sampled_from(options))

    def some(self, options: Sequence[T], least: int, most: int) -> list[T]:
        return self._draw(st.lists(st.sampled_from(options), min_size=least, max_size=most))

    def order(self, count: int) -> list[int]:
        return list(self._draw(st.permutations(range(count))))


class BySeed:
    """Choices that follow from a text, or the simplest ones, if that is empty.

    Attributes:
        made: the numbers of all choices so far.
    """

    def __init__(self, seed: str) -> None:
        self._random = Random(seed) if seed else None
        self.made: list[int] = []

    def _number(self, low: int, high: int) -> int:
        simple = min(max(low, 0), high)
        self.made.append(self._random.randint(low, high) if self._random else simple)
        return self.made[-1]

    def integer(self, low: int, high: int) -> int:
        return self._number(low, high)

    def one_of(self, options: Sequence[T]) -> T:
        return options[self._number(0, len(options) - 1)]

    def some(self, options: Sequence[T], least: int, most: int) -> list[T]:
        return [self.one_of(options) for _ in range(self._number(least, most))]

    def order(self, count: int) -> list[int]:
        left = list(range(count))
        return [left.pop(self._number(0, len(left) - 1)) for _ in range(count)]
