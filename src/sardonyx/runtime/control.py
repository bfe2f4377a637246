"""If, Loop and Scan driven from Python: their bodies are programs of their own, run as often as needed.

Decides what is fed to a body and what becomes of its results, which are passed on without copying; must not
know how a body was compiled.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from sardonyx.base import dim as dims
from sardonyx.base.dataclass import dataclass
from sardonyx.base.dim import Dim
from sardonyx.errors import RunError, SardonyxError
from sardonyx.runtime.data import HostFunction, ProgramData

if TYPE_CHECKING:
    from sardonyx.runtime.runnable import Runnable

Array: TypeAlias = np.ndarray[Any, Any]
Start: TypeAlias = "Callable[[ProgramData], Runnable]"
Row: TypeAlias = tuple[Any, tuple[Dim, ...]]
"""Numpy dtype and sizes of one row of a stacked result."""


@dataclass(frozen=True, slots=True)
class Body:
    """A graph inside another one.

    Attributes:
        data: its program; None if every result is an argument.
        passed: for each result the argument that it is, or -1 if the program computes it.
        sizes: the outer sizes that the program reads. It finds each as the extent of an empty array fed
            after the arguments, one by one since the product of an array's extents is bounded.
    """

    data: ProgramData | None
    passed: tuple[int, ...]
    sizes: tuple[Dim, ...]

    def start(self, start: Start) -> Started:
        """The body ready to run."""
        return Started(self, start(self.data) if self.data is not None else None)


class Started:
    """A body with its program."""

    def __init__(self, body: Body, program: Runnable | None) -> None:
        self._body, self._program = body, program
        self._computed = tuple(range(sum(source < 0 for source in body.passed)))

    def sizes(self, symbols: Mapping[str, int]) -> list[Array]:
        """The arrays to be fed last."""
        return [np.empty((0, dims.evaluate(size, symbols)), np.int8) for size in self._body.sizes]

    def run(self, args: Sequence[Any]) -> list[Any]:
        """The results for arguments and sizes; results that are arguments are the same objects."""
        if self._program is None:
            return [args[source] for source in self._body.passed]
        results = self._program.run(args, self._computed)
        if len(results) == len(self._body.passed):
            return results
        made = iter(results)
        return [args[source] if source >= 0 else next(made) for source in self._body.passed]


@dataclass(frozen=True, slots=True)
class Choice:
    """If: arguments are the condition, then the values each branch reads; `split` belong to the first."""

    then: Body
    otherwise: Body
    split: int
    name: str

    def start(self, start: Start) -> HostFunction:
        """The step, ready to run."""
        then, otherwise, split = self.then.start(start), self.otherwise.start(start), self.split

        def run(args: Sequence[Any], symbols: Mapping[str, int]) -> list[Any]:
            dense = [_dense(arg) for arg in args[1:]]
            chosen, given = (then, dense[:split]) if _holds(args[0]) else (otherwise, dense[split:])
            with _Where(self.name):
                return chosen.run([*given, *chosen.sizes(symbols)])

        return run


@dataclass(frozen=True, slots=True)
class Repetition:
    """Loop: arguments are the trip count and condition, if there are any, carried values, values it reads.

    The body gets the number of the iteration, the condition, the carried values, the values it reads; it
    gives the next condition, the carried values, and a row of each stacked result.
    """

    body: Body
    limited: bool
    conditional: bool
    carried: int
    stacked: tuple[Row, ...]
    name: str

    def start(self, start: Start) -> HostFunction:
        """The step, ready to run."""
        body = self.body.start(start)

        def run(args: Sequence[Any], symbols: Mapping[str, int]) -> list[Any]:
            rest = [_dense(arg) for arg in args]
            trips = int(_single(rest.pop(0), "the trip count")) if self.limited else None
            condition = _single(rest.pop(0), "the condition") if self.conditional else _TRUE
            state, read = rest[: self.carried], [*rest[self.carried :], *body.sizes(symbols)]
            rows = [_Rows(trips) for _ in self.stacked]
            number = 0
            with _Where(self.name) as where:
                while _holds(condition) and (trips is None or number < trips):
                    where.iteration = number
                    results = body.run([np.array(number), condition, *state, *read])
                    condition = _single(results[0], "the condition")
                    state = results[1 : 1 + self.carried]
                    for row, part in zip(rows, results[1 + self.carried :], strict=True):
                        row.add(part)
                    number += 1
            return [*state, *(r.array(row, symbols) for r, row in zip(rows, self.stacked, strict=True))]

        return run


@dataclass(frozen=True, slots=True)
class Traversal:
    """Scan: arguments are carried values, scanned arrays, values the body reads.

    The body gets the carried values, a slice of each array, the values it reads; it gives the carried values
    and a row of each stacked result.
    """

    body: Body
    carried: int
    scanned: int
    stacked: tuple[Row, ...]
    name: str

    def start(self, start: Start) -> HostFunction:
        """The step, ready to run."""
        body = self.body.start(start)

        def run(args: Sequence[Any], symbols: Mapping[str, int]) -> list[Any]:
            given = [_dense(arg) for arg in args]
            end = self.carried + self.scanned
            state, arrays = given[: self.carried], given[self.carried : end]
            read = [*given[end:], *body.sizes(symbols)]
            length = len(arrays[0])
            if any(len(array) != length for array in arrays):
                lengths = [len(array) for array in arrays]
                raise RunError(f"{self.name}: the scanned inputs have different lengths {lengths}")
            rows = [_Rows(length) for _ in self.stacked]
            with _Where(self.name) as where:
                for number in range(length):
                    where.iteration = number
                    results = body.run([*state, *(x[number, ...] for x in arrays), *read])
                    state = results[: self.carried]
                    for row, part in zip(rows, results[self.carried :], strict=True):
                        row.add(part)
            return [*state, *(r.array(row, symbols) for r, row in zip(rows, self.stacked, strict=True))]

        return run


_TRUE = np.array(True)
_MOST_ROWS = 4096
"""Rows for which memory is taken before it is known how many there will be."""


def _single(array: Array, what: str) -> Array:
    """An array of one element as a scalar."""
    if array.size != 1:
        raise RunError(f"{what} must be one element, its shape is {list(array.shape)}")
    return array.reshape(())


def _holds(condition: Array) -> bool:
    """Whether a condition, of one element as a rule, is true."""
    return bool(condition.item() if condition.size == 1 else condition.all())


Step: TypeAlias = Choice | Repetition | Traversal
"""A control step as data; `start` makes it run."""


class _Rows:
    """The rows of a stacked result, written in place if their number may be known: `count` is the most."""

    def __init__(self, count: int | None) -> None:
        self._count = count if count is not None and count <= _MOST_ROWS else None
        self._filled = 0
        self._shape: tuple[int, ...] | None = None
        self._whole: Array | None = None
        self._parts: list[Array] = []

    def add(self, row: Array) -> None:
        if self._shape is None:
            self._shape = row.shape
        if row.shape != self._shape:
            raise RunError(
                f"a stacked result has shape {list(row.shape)} after {list(self._shape)}; "
                "its rows must be of one shape"
            )
        if self._count is None:
            self._parts.append(row)
            return
        if self._whole is None:
            self._whole = np.empty((self._count, *row.shape), row.dtype)
        self._whole[self._filled, ...] = row
        self._filled += 1

    def array(self, row: Row, symbols: Mapping[str, int]) -> Array:
        """All rows; `row` says what they would be if there are none."""
        if self._whole is not None:
            return self._whole if self._filled == self._count else self._whole[: self._filled].copy()
        if self._parts:
            return np.stack(self._parts)
        dtype, shape = row
        return np.empty((0, *(max(0, dims.evaluate(n, symbols)) for n in shape)), dtype)


class _Where:
    """Says in the message of an error in which step and iteration it happened."""

    def __init__(self, name: str) -> None:
        self._name = name
        self.iteration = -1

    def __enter__(self) -> _Where:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, SardonyxError):
            place = f"{self._name}, iteration {self.iteration}" if self.iteration >= 0 else self._name
            error.args = (f"{place}: {error}", *error.args[1:])


def _dense(arg: Any) -> Any:
    """A value as a body may be fed with it: arrays contiguous."""
    if isinstance(arg, np.ndarray) and not arg.flags.c_contiguous:
        return arg.copy()
    return arg
