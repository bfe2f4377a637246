"""Words of calls are in the order of their numbers, and an address is that of a place."""

from __future__ import annotations

from sardonyx.base import dim as dims
from sardonyx.base import dtype as dt
from sardonyx.ir.place import Place, Storage
from sardonyx.kernels.call import Address, Entry, in_order

N = dims.symbol("N")


def test_words_that_are_not_given_are_zero() -> None:
    entry = Entry("f")
    assert in_order({3: N, 1: entry}, 5) == (0, entry, 0, N, 0)
    assert in_order({}, 0) == ()


def test_a_tensor_begins_at_its_offset() -> None:
    storage = Storage("arena", dt.F32, N)
    assert Address.of(Place(storage, N + 1, (1,))) == Address(storage, N + 1)
    assert Address(storage) == Address(storage, 0)
