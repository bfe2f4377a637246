"""Constants that are computed from others when they are stored: large ones need not all be in memory.

Must not know what is computed or where it is stored.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable, Iterable, Iterator
from itertools import islice
from math import prod
from typing import Any

import numpy as np

from sardonyx.base.background import Background
from sardonyx.base.mapped import let_go

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
        let_go(self.source)
        return array

    def pieces(self) -> Iterator[Array]:
        """The array in parts, so small that their memory is used again and stays in a cache of the CPU."""
        size = 0
        for part in self._parts(self.source):
            piece = self._make(part)
            size += piece.nbytes
            yield piece
        assert size == self.nbytes
        let_go(self.source)


Constant = Array | Deferred


def arrays_of(constants: Iterable[Constant], threads: int) -> Iterator[Array]:
    """The arrays one after the other; deferred ones are made by threads, a few ahead of who reads."""
    constants = list(constants)
    rest = iter([constant for constant in constants if isinstance(constant, Deferred)])
    ahead = deque(Background(constant.made) for constant in islice(rest, threads))
    for constant in constants:
        if isinstance(constant, Deferred):
            yield ahead.popleft().result()
            ahead.extend(Background(more.made) for more in islice(rest, 1))
        else:
            yield constant
