"""How work is cut into runs that threads and tiles share, and how words are handed over.

Must not know what is cut.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from sardonyx.base.dataclass import dataclass
from sardonyx.emit.shares import Shares
from sardonyx.llvm.vec import Function, V, int_


def ceil_div(f: Function, a: V, b: V) -> V:
    """ceil(a / b) of non-negative integers."""
    return f.binary("udiv", f.sub(f.add(a, b), int_(1)), b)


def round_up(f: Function, value: V, multiple: int) -> V:
    """The value rounded up to a multiple of a power of two."""
    return f.binary("and", f.add(value, int_(multiple - 1)), int_(-multiple))


def evenly(f: Function, total: V, most: V) -> V:
    """The length of runs of a total that are about equal, at most `most` long, and as few as can be."""
    return ceil_div(f, total, ceil_div(f, total, most))


@dataclass(frozen=True, slots=True)
class Cut:
    """A run-time cut of `total` items into `parts` (at least 1) runs whose sizes differ by at most one."""

    total: V
    parts: V
    base: V
    extra: V

    @staticmethod
    def of(f: Function, total: V, parts: V) -> Cut:
        """The larger runs come first."""
        return Cut(total, parts, f.binary("udiv", total, parts), f.binary("urem", total, parts))

    def begin(self, f: Function, index: V) -> V:
        """Where run `index` begins."""
        return f.add(f.mul(index, self.base), f.smin(index, self.extra))

    def size(self, f: Function, index: V) -> V:
        """Items of run `index`."""
        return f.add(self.base, f.convert("zext", f.icmp("slt", index, self.extra), "i64"))

    def largest(self, f: Function) -> V:
        """Items of run 0."""
        return f.add(self.base, f.smin(self.extra, int_(1)))


@dataclass(frozen=True, slots=True)
class Groups:
    """`total` items (at least 1) in runs of `size_of_each`, of which the last may be shorter."""

    total: V
    parts: V
    size_of_each: int

    @staticmethod
    def of(f: Function, total: V, size: int) -> Groups:
        """Runs of `size`."""
        return Groups(total, ceil_div(f, total, int_(size)), size)

    def begin(self, f: Function, index: V) -> V:
        """Where run `index` begins; that behind the last is the total."""
        return f.smin(f.mul(index, int_(self.size_of_each)), self.total)

    def size(self, f: Function, index: V) -> V:
        """Items of run `index`."""
        return f.sub(self.begin(f, f.add(index, int_(1))), self.begin(f, index))


def split(f: Function, total: V, tid: V, threads: V) -> tuple[V, V]:
    """The range [low, high) of `total` items that thread `tid` works on."""
    cut = Cut.of(f, total, threads)
    return cut.begin(f, tid), cut.begin(f, f.add(tid, int_(1)))


@contextmanager
def my_runs(f: Function, outer: V, unit: V, shares: Shares) -> Iterator[tuple[V, V, V]]:
    """What this thread does of `outer` times `unit` items: (index, first, last) for each outer index.

    Items first..last of the unit, a range that is not empty.
    """
    cut = Cut.of(f, f.mul(outer, unit), shares.units)
    with shares.mine(f) as share:
        low, high = (cut.begin(f, at) for at in share)
        with f.loop(f.binary("udiv", low, unit), ceil_div(f, high, unit)) as loop:
            begin = f.mul(loop.index, unit)
            first = f.smax(f.sub(low, begin), int_(0))
            last = f.smin(f.sub(high, begin), unit)
            with f.when(f.icmp("slt", first, last)):
                yield loop.index, first, last


def new_words(f: Function, words: Mapping[int, V], count: int) -> V:
    """An i64 block on the stack; words not given are 0."""
    block = f.alloca("i64", count)
    for index in range(count):
        set_word(f, block, index, words.get(index, int_(0)))
    return block


def set_words(f: Function, block: V, words: Mapping[int, V]) -> None:
    """Store into words of an i64 block."""
    for index, value in words.items():
        set_word(f, block, index, value)


def set_word(f: Function, words: V, index: int, value: V) -> None:
    """Store into word `index` of an i64 block."""
    f.store(value, f.gep(words, int_(index), "i64"), 8)
