"""Totals of rows: what is there before any leaf, what leaves add in the order of trees, and what is written.

Must not know how a leaf is found.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sardonyx.base.target import Target
from sardonyx.kernels.access import Access
from sardonyx.kernels.trees.arguments import Forest, Word
from sardonyx.kernels.trees.combine import combined, start
from sardonyx.llvm.convert import memory_type
from sardonyx.llvm.types import vector_of
from sardonyx.llvm.vec import Function, V, int_

MOST_OUTPUTS = 8
"""Most targets of a forest whose leaves all have an entry for each, which are added as one vector."""
TOTAL_BYTES = 9
"""A total in double precision, and whether a leaf touched it."""

Words = Mapping[Any, V]
"""The argument words of a kernel by `Word`."""


class Totals:
    """Writes what happens to the totals of at most `rows` rows, in memory, into a function being written.

    A row has `cells` of them: those of all targets, or of the `width` ones that all leaves have weights for.
    """

    def __init__(
        self, f: Function, forest: Forest, target: Target, word: Words, memory: V, rows: int
    ) -> None:
        self.f, self.forest, self.word = f, forest, word
        self.weight = Access(f, forest.stored, target)
        self.total = memory
        self.cells = int_(forest.width) if forest.width else word[Word.TARGETS]
        self.touched = f.gep(memory, f.mul(int_(rows), self.cells), "double")

    def clear(self, count: V) -> None:
        """Begin so many rows."""
        f = self.f
        with f.loop(int_(0), f.mul(count, self.cells)) as cell:
            f.store(start(self.forest.combine), f.gep(self.total, cell.index, "double"))
            if not self.forest.width:
                f.store(int_(0, "i8"), f.gep(self.touched, cell.index, "i8"))

    def add_trees(self, count: V, leaf: Callable[[V], V]) -> None:
        """Add the leaves of so many trees to row 0; `leaf` says which is that of the nth."""
        f, width = self.f, self.forest.width
        if width:
            total = f.load(self.total, vector_of("double", width))
            with f.loop(int_(0), count, 1, [total]) as tree:
                weights = self._weights(leaf(tree.index))
                tree.next(combined(f, self.forest.combine, tree.carried[0], weights))
            f.store(tree.carried[0], self.total)
            return
        with f.loop(int_(0), count) as tree:
            self._add_entries(int_(0), leaf(tree.index))

    def add_rows(self, count: V, leaf: Callable[[V], V]) -> None:
        """Add a leaf to each of so many rows; `leaf` says which is that of the nth."""
        f, width = self.f, self.forest.width
        with f.loop(int_(0), count) as row:
            first = f.mul(row.index, self.cells)
            if width:
                at = f.gep(self.total, first, "double")
                total = f.load(at, vector_of("double", width))
                f.store(combined(f, self.forest.combine, total, self._weights(leaf(row.index))), at)
            else:
                self._add_entries(first, leaf(row.index))

    def _weights(self, leaf: V) -> V:
        """The weights of a leaf that has one for each target, in doubles."""
        f, width, stored = self.f, self.forest.width, memory_type(self.forest.stored)
        at = f.gep(self.word[Word.WEIGHT], f.mul(leaf, int_(width)), stored)
        return f.convert("fpext", f.load(at, vector_of(stored, width)), "double")

    def _add_entries(self, first: V, leaf: V) -> None:
        """Add the entries of a leaf to the totals of a row, from a cell on."""
        f, word = self.f, self.word
        entries = (f.load(f.gep(word[w], leaf, "i32"), "i32") for w in (Word.START, Word.COUNT))
        begin, count = (f.convert("zext", n, "i64") for n in entries)
        with f.loop(begin, f.add(begin, count)) as entry:
            target = f.load(f.gep(word[Word.TARGET], entry.index, "i32"), "i32")
            cell = f.add(first, f.convert("zext", target, "i64"))
            weight = self.weight.load_double(word[Word.WEIGHT], entry.index)
            at = f.gep(self.total, cell, "double")
            f.store(combined(f, self.forest.combine, f.load(at, "double"), weight), at)
            f.store(int_(1, "i8"), f.gep(self.touched, cell, "i8"))

    def write(self, row: V, count: V, write: Callable[[V, V, V], None]) -> None:
        """Write the totals of so many rows, from one on: `write` is told where, what, and if it counts."""
        f, word = self.f, self.word
        with f.loop(int_(0), count) as r, f.loop(int_(0), word[Word.TARGETS]) as target:
            if self.forest.width:
                place, touched = output_of(f, word, target.index)
                cell = f.add(f.mul(r.index, self.cells), place)
            else:
                cell = f.add(f.mul(r.index, self.cells), target.index)
                touched = f.load(f.gep(self.touched, cell, "i8"), "i8")
            at = f.add(f.mul(f.add(row, r.index), word[Word.TARGETS]), target.index)
            write(at, f.load(f.gep(self.total, cell, "double"), "double"), touched)


def output_of(f: Function, word: Words, target: V) -> tuple[V, V]:
    """Which output a target is, 0 if it is none, and whether it is one, where all leaves have the same."""
    named = f.load(f.gep(word[Word.NAMED], target, "i8"), "i8")
    return f.select(f.icmp("ne", named, int_(0, "i8")), f.sub(target, word[Word.FIRST]), int_(0)), named


def totals_bytes(rows: int, targets: int) -> int:
    """Bytes for the totals of so many rows."""
    return rows * max(targets, MOST_OUTPUTS) * TOTAL_BYTES
