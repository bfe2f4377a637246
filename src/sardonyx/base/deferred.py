"""Constants that are computed from others when they are stored: large ones need not all be in memory.

Must not know what is computed or where it is stored.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable, Iterable, Iterator
from functools import partial
from math import prod
from typing import Any

import numpy as np

from sardonyx.base.mapped import let_go
from sardonyx.base.workers import Made, Workers

Array = np.ndarray[Any, Any]


class Deferred:
    """What `make(source)` gives, an array of that shape; `arrangement` says what `make` does.

    It is made anew each time, and where `source` lies in a mapped file, its memory is given back. `parts` are
    those of `source` of which `make` gives the parts of the result, one after the other.
    """

    __slots__ = ("_make", "_parts", "arrangement", "dtype", "shape", "source")

    def __init__(
        self,
        source: Array,
        arrangement: Hashable,
        shape: tuple[int, ...],
        make: Callable[[Array], Array],
        parts: Callable[[Array], Iterable[Array]] = lambda source: (source,),
    ) -> None:
        self.source, self.arrangement, self.shape = source, arrangement, shape
        self._make, self._parts = make, parts
        self.dtype = source.dtype

    @property
    def nbytes(self) -> int:
        """How many bytes it has."""
        size: int = prod(self.shape) * self.dtype.itemsize
        return size

    def made(self) -> Array:
        """The array."""
        array = self._make(self.source)
        assert (array.shape, array.dtype) == (self.shape, self.dtype)
        self._let_go()
        return array

    def parts(self) -> Iterator[Callable[[], Array]]:
        """What makes the array in parts, so small that their memory stays in a cache of the CPU."""
        parts = list(self._parts(self.source))
        for part in parts[:-1]:
            yield partial(self._make, part)
        for part in parts[-1:]:
            yield partial(self._made_last, part)

    def _made_last(self, part: Array) -> Array:
        made = self._make(part)
        self._let_go()
        return made

    def _let_go(self) -> None:
        let_go(in_memory(self.source))


Constant = Array | Deferred


def in_memory(array: Array) -> Array:
    """The array, or its transpose if that is how it lies in memory."""
    return array if array.flags.c_contiguous or not array.flags.f_contiguous else array.T


def arrays_of(constants: Iterable[Constant], threads: int) -> Iterator[Array]:
    """The arrays one after the other; deferred ones are made by threads, a few ahead of who reads."""
    return in_order((c.made if isinstance(c, Deferred) else c for c in constants), threads)


def in_order(arrays: Iterable[Array | Callable[[], Array]], threads: int) -> Iterator[Array]:
    """The arrays, and what is called for them by threads, a few ahead of who reads."""
    rest, ahead, called = iter(arrays), deque[Array | Made[Array]](), 0
    with Workers(threads) as workers:
        while True:
            while called < threads and (array := next(rest, None)) is not None:
                called += callable(array)
                ahead.append(workers.call(array) if callable(array) else array)
            if not ahead:
                return
            first = ahead.popleft()
            called -= isinstance(first, Made)
            yield first.result() if isinstance(first, Made) else first
